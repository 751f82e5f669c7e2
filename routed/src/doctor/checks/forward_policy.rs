//! Check: does a chain of the packet filter drop forwarded packets of pods?

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::firewall::Survey;

const CHECK: &str = "FORWARD policy";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    match &context.firewall {
        Ok(survey) => examine(survey),
        Err(error) => {
            let finding = Finding::unknown(CHECK, error);
            vec![finding.fix("run as root, on a kernel with nf_tables")]
        }
    }
}

/// A finding for each chain that drops, and for each that could not be read.
fn examine(survey: &Survey) -> Vec<Finding> {
    let blocking = survey.blocking_chains.iter().map(|found| {
        let chain = &found.chain;
        if found.passes {
            Finding::ok(
                CHECK,
                format!("chain {chain} drops, but its rules accept pod traffic"),
            )
        } else {
            let text = format!("chain {chain} drops packets to and from pods");
            Finding::broken(CHECK, text).fix(&found.fix)
        }
    });
    let unreadable = survey.hidden.iter();
    let unreadable = unreadable.map(|reason| Finding::unknown(CHECK, reason));
    let all: Vec<_> = blocking.chain(unreadable).collect();
    if all.is_empty() {
        return vec![Finding::ok(CHECK, "no chain drops forwarded packets")];
    }
    all
}

#[cfg(test)]
mod tests;
