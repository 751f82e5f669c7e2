//! Check: is there a conflist of Flatland?

use ipnet::IpNet;

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::text::list;

const CHECK: &str = "conflist";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    let conflist = context.conflist.as_ref();
    vec![examine(conflist.map(|_| context.pod_cidrs()))]
}

fn examine(pod_cidrs: Result<&[IpNet], &String>) -> Finding {
    match pod_cidrs {
        Ok(cidrs) => Finding::ok(CHECK, format!("pod CIDRs {}", list(cidrs))),
        Err(reason) => Finding::unknown(CHECK, reason)
            .fix("name one with --conflist: checks of pod CIDRs and the registry need it"),
    }
}

#[cfg(test)]
mod tests;
