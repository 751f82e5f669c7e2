//! Facts that the tests have in common.

mod judge;
mod packet_queries;

use std::net::IpAddr;

use ipnet::IpNet;
use nix::errno::Errno;
use wire::netlink::{Fate, PolicyAction, PolicyRule, Route, RouteKind};

use super::facts::{LinkSettings, MAIN, PacketFacts};
use super::faults::PathFault;
use super::judge::{by_culprit, judge};
use super::packet_queries::{MAX_PEERS, PacketQuery, for_node, for_pair};

const POD: &str = "10.244.1.2";
const REMOTE: &str = "10.244.2.2";
const ETH0: u32 = 2;
const ETH1: u32 = 3;
const HOST_END: u32 = 7;

fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn route(dst: &str, via: Option<&str>, dev: u32) -> Route {
    Route {
        via: via.map(addr),
        dev: Some(dev),
        ..Route::new(net(dst), RouteKind::Unicast)
    }
}

fn foreign(dst: &str, via: &str, dev: u32) -> Route {
    Route {
        protocol: 4,
        ..route(dst, Some(via), dev)
    }
}

fn rule(priority: u32, action: PolicyAction) -> PolicyRule {
    PolicyRule {
        priority,
        inverted: false,
        from: net("0.0.0.0/0"),
        to: net("0.0.0.0/0"),
        iif: None,
        oif: None,
        mark: None,
        looks_deeper: false,
        action,
        suppress_prefix_length: None,
    }
}

/// A node with the pod 10.244.1.2 and a peer that owns 10.244.2.0/24, and the rules that every host
/// has.
fn facts() -> PacketFacts {
    let main = vec![
        route("10.244.1.2/32", None, HOST_END),
        Route::new(net("10.244.1.0/24"), RouteKind::Unreachable),
        route("10.244.2.0/24", Some("192.168.1.12"), ETH0),
        foreign("0.0.0.0/0", "192.168.1.1", ETH0),
    ];
    let links = [
        (1, "lo"),
        (ETH0, "eth0"),
        (ETH1, "eth1"),
        (HOST_END, "flat1"),
    ];
    PacketFacts {
        pod_cidrs: vec![net("10.244.0.0/16")],
        links: links.map(|(index, name)| (index, name.to_owned())).into(),
        rules: [(0, 255), (32766, 254), (32767, 253)]
            .map(|(priority, table)| rule(priority, PolicyAction::Lookup(table)))
            .into(),
        tables: [(MAIN, main)].into(),
        ..PacketFacts::default()
    }
    .index()
}

fn add_rule(facts: &mut PacketFacts, rule: PolicyRule) {
    facts.rules.push(rule);
    facts.rules.sort_by_key(|rule| rule.priority);
}

fn forward(route: &Route, table: u32) -> Fate {
    let route = route.clone();
    Fate::Forward { route, table }
}

fn dropped(errno: Errno) -> Fate {
    Fate::Dropped { errno }
}

/// The packet of the pod to the remote one.
fn pod_to_remote(facts: &PacketFacts) -> PacketQuery {
    for_pair(facts, [addr(POD), addr(REMOTE)]).remove(0)
}

fn remote_to_pod(facts: &PacketFacts) -> PacketQuery {
    for_pair(facts, [addr(POD), addr(REMOTE)]).remove(1)
}

fn fault(query: &PacketQuery, fate: &Fate, facts: &PacketFacts) -> Option<PathFault> {
    judge(query, fate, None, facts).map(PathFault::from)
}
