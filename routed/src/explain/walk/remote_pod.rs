//! The way to a pod of another node.

use std::net::IpAddr;

use crate::explain::walk::Walker;
use crate::explain::{Endpoint, KernelRoute, NextHop, ProbeResult, RemotePod};
use crate::status::RouteTarget;

/// As far as this node can see.
pub(super) fn walk(walker: &mut Walker<'_>, end: &Endpoint, there: &RemotePod) {
    peers_claim(walker, end, there);
    peers_route(walker, end, there);
    if let Some(hop) = &there.hop {
        next_hop(walker, hop, there);
    }
}

fn peers_claim(walker: &mut Walker<'_>, end: &Endpoint, there: &RemotePod) {
    let node = &there.node;
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
        Err(why) => walker.unknown(
            "claim",
            format!("the registry cannot be asked: {why}"),
            "see routed doctor",
        ),
    }
    match there.present {
        Some(true) => walker.ok("peer", format!("routed of node {node} is alive")),
        Some(false) => walker.unknown(
            "peer",
            format!("routed of node {node} shows no sign of life"),
            "pods go on without it; but the node may be off",
        ),
        None => walker.unknown(
            "peer",
            format!("whether routed of node {node} is alive is not known"),
            "see routed nodes",
        ),
    }
}

fn peers_route(walker: &mut Walker<'_>, end: &Endpoint, there: &RemotePod) {
    let link = "route";
    let taken = match &there.taken {
        Ok(route) => route.text.clone(),
        Err(why) => why.clone(),
    };
    match (&there.wanted, &there.taken) {
        (Some((None, why)), _) => {
            let why = why
                .as_deref()
                .unwrap_or("routed does not know of its subnet");
            walker.broken(link, why.to_owned(), "see routed nodes and routed routes");
        }
        (Some((Some(way), why)), taken_way) => {
            let is_same = taken_way.as_ref().is_ok_and(|route| leads(route, way));
            if is_same {
                walker.ok(link, taken);
                return;
            }
            let why = why
                .as_ref()
                .map(|why| format!(" ({why})"))
                .unwrap_or_default();
            let text = format!(
                "packets to {} should go {way}, but: {taken}{why}",
                end.address
            );
            walker.broken(
                link,
                text,
                "see routed routes: what is in the way, and who put it there",
            );
        }
        (None, Ok(route)) if route.via.is_some_and(|via| there.addresses.contains(&via)) => {
            walker.ok(link, taken);
        }
        (None, _) => walker.broken(
            link,
            format!(
                "packets to {} do not go to node {}: {taken}",
                end.address, there.node
            ),
            "start routed: it makes the route",
        ),
    }
}

fn leads(route: &KernelRoute, way: &RouteTarget) -> bool {
    match way {
        RouteTarget::Via { gateway, dev } => {
            route.via == Some(*gateway) && route.dev.as_ref() == Some(dev)
        }
        RouteTarget::Unreachable | RouteTarget::Link { .. } => false,
    }
}

fn next_hop(walker: &mut Walker<'_>, hop: &NextHop, there: &RemotePod) {
    let NextHop { address, link, .. } = hop;
    match hop.state {
        Some((true, true)) => {}
        Some((false, _)) => {
            walker.broken(
                "next hop",
                format!("{link} is down"),
                format!("ip link set {link} up"),
            );
            return;
        }
        Some((true, false)) => {
            let fix = "look at the cable, the switch, or the virtual machine's network";
            walker.broken("next hop", format!("{link} has no carrier"), fix);
            return;
        }
        None => {
            walker.broken(
                "next hop",
                format!("there is no link {link}"),
                "see ip link",
            );
            return;
        }
    }
    let node = &there.node;
    match hop.answer {
        ProbeResult::Alive => walker.ok("next hop", format!("{address} answers on {link}")),
        ProbeResult::Silent => walker.unknown(
            "next hop",
            format!("the hardware address of {address} is known on {link}, but nothing answered"),
            format!("a firewall of node {node} may keep the answer back: ping {address}"),
        ),
        ProbeResult::Unresolved => walker.broken(
            "next hop",
            format!("nobody on {link} answers for {address}, {} of node {node}", asked(*address)),
            format!(
                "is node {node} on, and on the same layer 2 network? has it that address still? ping \
                 {address}"
            ),
        ),
    }
}

fn asked(address: IpAddr) -> &'static str {
    if address.is_ipv4() {
        "asked by ARP, the address"
    } else {
        "asked by neighbour discovery, the address"
    }
}
