//! Check: is there what the container runtime needs besides our programs: the other plugins of the
//! chain, and `loopback`?

use wire::conf::PROGRAMS;

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::host::runtime_needs::{self, Missing};
use crate::text::list;

const CHECK: &str = "other plugins";

const FIX: &str = "they are in the release of the CNI plugins (containernetworking-plugins); where \
                   the runtime looks for plugins elsewhere, name that folder with --cni-bin";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    let conflist = context.conflist.as_ref().ok().copied();
    let missing = runtime_needs::find_missing(context.cni_bin, conflist);
    let optional = runtime_needs::optional_message(&missing.optional, context.cni_bin);
    let optional = optional.map(|text| Finding::warning(CHECK, text).fix(FIX));
    let needed = examine(&missing, runtime_needs::uses_containerd());
    [needed].into_iter().chain(optional).collect()
}

fn examine(missing: &Missing, uses_containerd: bool) -> Finding {
    // The check of our programs says more about them.
    let others = missing.chain.iter().filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        !name.is_some_and(|name| PROGRAMS.contains(&name))
    });
    let others: Vec<_> = others.map(|path| path.display()).collect();
    if !others.is_empty() {
        let text = format!(
            "every pod fails without {}, which the conflist names",
            list(&others)
        );
        return Finding::broken(CHECK, text).fix(FIX);
    }
    match &missing.loopback {
        None => Finding::ok(
            CHECK,
            "those that the conflist names, and loopback for containerd",
        ),
        Some(path) if uses_containerd => {
            let text = format!("containerd makes no pod without {}", path.display());
            Finding::broken(CHECK, text).fix(FIX)
        }
        Some(path) => {
            let text = format!(
                "those that the conflist names; containerd, which is not seen here, would need {}",
                path.display()
            );
            Finding::ok(CHECK, text)
        }
    }
}

#[cfg(test)]
mod tests;
