//! Judges the links to a pod of another node: its claim, presence, route and next hop.

use std::net::IpAddr;

use super::walker::Walker;
use crate::explain::facts::{
    KernelRoute, LinkState, PathFacts, PodFacts, ProbeResult, ProbedNextHop, RemotePod,
};
use crate::status::RouteTarget;

/// The links up to the next hop.
pub(super) fn walk(walker: &mut Walker<'_>, end: &PodFacts, pod: &RemotePod, facts: &PathFacts) {
    remote_claim(walker, end, pod);
    route(walker, end, pod, facts);
    if let Some(hop) = &pod.next_hop {
        next_hop(walker, hop, pod);
    }
}

fn remote_claim(walker: &mut Walker<'_>, end: &PodFacts, pod: &RemotePod) {
    let node = &pod.node;
    match &end.claim {
        Ok(Some((subnet, owner))) => walker.ok("claim", format!("node {owner} owns {subnet}")),
        Ok(None) => walker.broken(
            "claim",
            format!(
                "the registry shows no claim to a subnet with {}",
                end.address
            ),
            format!(
                "its route is held until node {node} claims it again: is routed running there?"
            ),
        ),
        Err(error) => walker.unknown(
            "claim",
            format!("the registry cannot be read: {error}"),
            "see routed doctor",
        ),
    }
    match pod.present {
        Some(true) => walker.ok("peer", format!("routed of node {node} is alive")),
        Some(false) => walker.unknown(
            "peer",
            format!("routed of node {node} is not present"),
            "pods run without it; but the node may be down",
        ),
        None => walker.unknown(
            "peer",
            format!("it is not known whether routed of node {node} is alive"),
            "see routed nodes",
        ),
    }
}

fn route(walker: &mut Walker<'_>, end: &PodFacts, pod: &RemotePod, facts: &PathFacts) {
    let link = "route";
    let address = end.address;
    let actual = pod.actual.as_ref();
    let actual_text = actual.map_or_else(Clone::clone, |route| route.text.clone());
    let Some(desired) = &pod.desired else {
        let is_to_node = |route: &KernelRoute| {
            let via = route.via;
            via.is_some_and(|via| pod.addresses.contains(&via))
        };
        if actual.is_ok_and(is_to_node) {
            walker.ok(link, actual_text);
        } else {
            let text = format!(
                "packets to {address} do not go to node {}: {actual_text}",
                pod.node
            );
            walker.broken(link, text, "start routed: it adds the route");
        }
        return;
    };
    let reason = desired.reason.as_deref();
    let Some(target) = &desired.target else {
        let text = reason.unwrap_or("routed does not know its subnet");
        walker.broken(link, text, "see routed nodes and routed routes");
        return;
    };
    if actual.is_ok_and(|route| leads_to(route, target)) {
        walker.ok(link, actual_text);
        return;
    }
    let reason = reason.map(|reason| format!(" ({reason})"));
    let reason = reason.unwrap_or_default();
    let text = format!("packets to {address} should go {target}, but: {actual_text}{reason}");
    let culprit_is_named = facts.packets.as_ref().is_ok_and(|it| !it.faults.is_empty());
    let fix = if culprit_is_named {
        "see packets, above: what takes them there"
    } else {
        "routed routes shows what is in its place, and which program added it"
    };
    walker.broken(link, text, fix);
}

fn leads_to(route: &KernelRoute, target: &RouteTarget) -> bool {
    match target {
        RouteTarget::Via { gateway, dev } => {
            route.via == Some(*gateway) && route.dev.as_ref() == Some(dev)
        }
        RouteTarget::Unreachable | RouteTarget::Link { .. } => false,
    }
}

fn next_hop(walker: &mut Walker<'_>, hop: &ProbedNextHop, pod: &RemotePod) {
    let step = "next hop";
    let ProbedNextHop { address, link, .. } = hop;
    match hop.link_state {
        LinkState::Up => {}
        LinkState::Down => {
            let fix = format!("ip link set {link} up");
            walker.broken(step, format!("{link} is down"), fix);
            return;
        }
        LinkState::NoCarrier => {
            let fix = "check the cable, the switch, or the virtual machine's network";
            walker.broken(step, format!("{link} has no carrier"), fix);
            return;
        }
        LinkState::Missing => {
            walker.broken(step, format!("there is no link {link}"), "see ip link");
            return;
        }
    }
    let node = &pod.node;
    match hop.probe {
        ProbeResult::Answered => walker.ok(step, format!("{address} answers on {link}")),
        ProbeResult::Silent => walker.unknown(
            step,
            format!("the hardware address of {address} is known on {link}, but nothing answered"),
            format!("a firewall of node {node} may drop the answer: ping {address}"),
        ),
        ProbeResult::Unresolved => walker.broken(
            step,
            format!(
                "no host on {link} answers {} for {address}, the address of node {node}",
                resolution(*address)
            ),
            format!(
                "is node {node} up, and on the same layer 2 network? does it still have that \
                 address? ping {address}"
            ),
        ),
    }
}

/// How the kernel finds the hardware address of a neighbour.
fn resolution(address: IpAddr) -> &'static str {
    if address.is_ipv4() {
        "ARP"
    } else {
        "neighbour discovery"
    }
}
