//! Check: would the kernel send the packets of pods where our routes say?

use daemonkit::http::client;

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::identity::ROUTED;
use crate::kernel::Netlink;
use crate::packet_paths::{self, Examined, Peer};
use crate::status::NodeRow;

const CHECK: &str = "packet paths";

pub(super) async fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    // Only a running daemon knows the addresses of peers.
    let peers: Vec<NodeRow> = client::get(ROUTED, "/nodes").await.unwrap_or_default();
    let peers: Vec<_> = peers.into_iter().map(Peer::from).collect();
    match packet_paths::examine(&mut Netlink::default(), context.pod_cidrs(), &peers) {
        Ok(examined) => examine(examined),
        Err(error) => vec![Finding::unknown(CHECK, error.to_string())],
    }
}

fn examine(examined: Examined) -> Vec<Finding> {
    let faults = examined.faults.into_iter();
    let mut findings: Vec<_> = faults
        .map(|fault| Finding::broken(CHECK, fault.text).fix(fault.fix))
        .collect();
    let remarks = examined.remarks.into_iter();
    findings.extend(remarks.map(|remark| Finding::warning(CHECK, remark.text).fix(remark.fix)));
    if findings.is_empty() {
        let text = match examined.queries {
            0 => "there are no routes of Flatland yet".to_owned(),
            queries => format!("the kernel would send all {queries} packets as the routes say"),
        };
        let marked = examined.marked.iter().map(|text| format!("; {text}"));
        findings.push(Finding::ok(CHECK, text + &marked.collect::<String>()));
    }
    findings
}

#[cfg(test)]
mod tests;
