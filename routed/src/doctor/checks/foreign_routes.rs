//! Check: has another program added routes into a pod CIDR? Such a route is more specific than a
//! peer's, or in its place.

use std::collections::BTreeMap;

use ipnet::IpNet;
use wire::netlink::Error;

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::kernel::{Kernel, Netlink, NodeLink};
use crate::reconcile::messages;

const CHECK: &str = "foreign routes";

/// `RTPROT_KERNEL` (`include/uapi/linux/rtnetlink.h`): the routes of this host's own networks.
const PROTOCOL_KERNEL: u8 = 2;

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    let links = context.links.as_deref().unwrap_or_default();
    vec![match foreign_routes(links) {
        Ok(routes) => examine(&routes, context.pod_cidrs()),
        Err(error) => Finding::unknown(CHECK, error.to_string()),
    }]
}

/// Routes of the main table that other programs added, one for each destination, as text.
fn foreign_routes(links: &[NodeLink]) -> Result<BTreeMap<IpNet, String>, Error> {
    let routes = Netlink::default().routes(None)?.into_iter();
    let foreign =
        routes.filter(|route| ![wire::ROUTE_PROTOCOL, PROTOCOL_KERNEL].contains(&route.protocol));
    let with_text = foreign.map(|route| {
        let path = messages::next_hop(&route, links);
        let protocol = messages::protocol_name(route.protocol);
        (route.dst, format!("{}{path} proto {protocol}", route.dst))
    });
    Ok(with_text.collect())
}

fn examine(routes: &BTreeMap<IpNet, String>, pod_cidrs: &[IpNet]) -> Finding {
    let is_for_pods = |dst: &IpNet| pod_cidrs.iter().any(|cidr| cidr.contains(dst));
    let found = routes.iter().filter(|(dst, _)| is_for_pods(dst));
    let found: Vec<_> = found.map(|(_, text)| text.as_str()).collect();
    if found.is_empty() {
        return Finding::ok(CHECK, "none leads into a pod CIDR");
    }
    Finding::broken(CHECK, found.join("; ")).fix(
        "they take packets to pods elsewhere: remove what made them, such as another pod network \
         of this node, and then the routes (ip route del)",
    )
}

#[cfg(test)]
mod tests;
