//! Chooses the packets that the kernel is asked about. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use wire::netlink::{Packet, PolicyAction, Route, RouteKind};

use super::facts::{Facts, LOCAL, MAIN, is_own};
use crate::fib::plan;
use crate::kernel::LOOPBACK;

/// For so many subnets of peers per family the kernel is asked. Those that a rule or a route of
/// another program names come first.
pub(super) const MAX_PEERS: usize = 64;

/// For so many pods of this node per family.
const MAX_PODS: usize = 256;

/// For so many routes of other programs inside the pod CIDRs.
const MAX_FOREIGN: usize = 32;

/// With this mark kube-proxy has packets masqueraded (`--iptables-masquerade-bit` 14).
pub(super) const KUBE_PROXY_MARK: u32 = 0x4000;

/// A packet, and our route for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) packet: Packet,
    pub(super) wanted: Route,
}

/// The packets of every kind: from pods of this node to peers' pods and back, and from this host to
/// both.
pub(super) fn for_node(facts: &Facts) -> Vec<Question> {
    [true, false]
        .into_iter()
        .flat_map(|v4| for_family(facts, v4))
        .collect()
}

fn for_family(facts: &Facts, v4: bool) -> Vec<Question> {
    let main = facts.tables.get(&MAIN).map_or(&[][..], Vec::as_slice);
    let of_family = main.iter().filter(|route| route.dst.addr().is_ipv4() == v4);
    let own: Vec<&Route> = of_family.filter(|route| is_own(route)).collect();
    let is_for_pods = |route: &Route| facts.pod_cidrs.iter().any(|cidr| cidr.contains(&route.dst));
    let points = |is_it: &dyn Fn(&Route) -> bool| -> Vec<IpAddr> {
        let routes = own
            .iter()
            .filter(|route| is_for_pods(route) && is_it(route));
        routes.map(|route| inside(route.dst)).collect()
    };
    let pods = points(&plan::is_to_pod);
    let subnets = points(&|route| route.kind == RouteKind::Unreachable);
    let mut peers: Vec<_> = own.iter().filter(|route| route.via.is_some()).collect();
    let named = named_elsewhere(facts);
    peers.sort_by_key(|route| !named.iter().any(|it| overlap(it, &route.dst)));
    let peers: Vec<_> = peers.iter().map(|route| inside(route.dst)).collect();
    let Some(here) = pods.first().or(subnets.first()).copied() else {
        return Vec::new();
    };
    let there = peers
        .first()
        .copied()
        .unwrap_or_else(|| subnets.first().copied().unwrap_or(here));

    let foreign = facts.foreign_in_pod_cidrs().map(|route| inside(route.dst));
    let foreign = foreign
        .filter(|point| point.is_ipv4() == v4)
        .take(MAX_FOREIGN);
    let all = peers.into_iter().take(MAX_PEERS).chain(foreign);
    let all = all.chain(pods.into_iter().take(MAX_PODS)).chain(subnets);
    let mut questions = Vec::new();
    let mut seen = BTreeSet::new();
    for point in all.filter(|point| seen.insert(*point)) {
        let is_remote = facts
            .own_route(point)
            .is_some_and(|route| route.via.is_some());
        let other = if is_remote { here } else { there };
        for question in for_pair(facts, [other, point]) {
            if !questions.contains(&question) {
                questions.push(question);
            }
        }
    }
    if kube_proxy_mark_matters(facts) {
        let marked = for_pair(facts, [here, there])
            .into_iter()
            .map(|question| Question {
                packet: Packet {
                    mark: KUBE_PROXY_MARK,
                    ..question.packet
                },
                ..question
            });
        questions.extend(marked);
    }
    questions
}

/// The packets between two pods, in both directions, and of this host to both.
pub(super) fn for_pair(facts: &Facts, [a, b]: [IpAddr; 2]) -> Vec<Question> {
    let forwarded = [(a, b), (b, a)].into_iter().filter_map(|(src, dst)| {
        let wanted = facts.own_route(dst)?.clone();
        // A pod that is not there yet comes in by no link; `lo` stands in for it.
        let iif = facts.own_route(src)?.dev.unwrap_or(LOOPBACK);
        let packet = Packet::through(iif, src, dst);
        Some(Question { packet, wanted }).filter(|_| src != dst)
    });
    let of_host = [a, b].into_iter().filter_map(|dst| {
        let wanted = facts.own_route(dst)?.clone();
        Some(Question {
            packet: Packet::to(dst),
            wanted,
        })
    });
    forwarded.chain(of_host).collect()
}

/// One packet for each mark that a rule asks for, from a pod to a peer's.
pub(super) fn marked(facts: &Facts) -> Vec<Question> {
    let plain = for_node(facts);
    let forwarded = plain
        .iter()
        .filter(|question| question.packet.iif.is_some());
    let mut firsts: Vec<&Question> = Vec::new();
    for question in forwarded.filter(|question| question.packet.mark == 0) {
        let is_known = |it: &&Question| it.packet.dst.is_ipv4() == question.packet.dst.is_ipv4();
        if !firsts.iter().any(is_known) {
            firsts.push(question);
        }
    }
    let marks: BTreeSet<u32> = facts
        .rules
        .iter()
        .filter_map(|rule| rule.mark)
        .map(|it| it.0)
        .collect();
    let marks = marks
        .into_iter()
        .filter(|mark| ![0, KUBE_PROXY_MARK].contains(mark));
    marks
        .flat_map(|mark| {
            let with_mark = move |question: &&Question| Question {
                packet: Packet {
                    mark,
                    ..question.packet
                },
                wanted: question.wanted.clone(),
            };
            firsts.iter().map(with_mark).collect::<Vec<_>>()
        })
        .collect()
}

fn kube_proxy_mark_matters(facts: &Facts) -> bool {
    let mut marks = facts.rules.iter().filter_map(|rule| rule.mark);
    marks.any(|(mark, mask)| mark != 0 && KUBE_PROXY_MARK & mask == mark)
}

/// The prefixes in which rules and routes of other programs say something about pods.
fn named_elsewhere(facts: &Facts) -> Vec<IpNet> {
    let rules = facts.rules.iter().flat_map(|rule| [rule.to, rule.from]);
    let rules = rules.filter(|prefix| prefix.prefix_len() > 0);
    rules
        .chain(facts.foreign_in_pod_cidrs().map(|route| route.dst))
        .collect()
}

/// The tables that rules name, beside the local one.
pub(super) fn tables(facts: &Facts) -> BTreeSet<u32> {
    let named = facts.rules.iter().filter_map(|rule| match rule.action {
        PolicyAction::Lookup(table) => Some(table),
        _ => None,
    });
    named
        .filter(|table| *table != LOCAL)
        .chain([MAIN])
        .collect()
}

fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

/// An address of a prefix: the only one, or the third, which is neither the prefix's own nor the
/// first, which this host may have itself.
fn inside(prefix: IpNet) -> IpAddr {
    let free_bits = prefix.max_prefix_len() - prefix.prefix_len();
    let offset = if free_bits < 2 { 0 } else { 2 };
    match prefix.network() {
        IpAddr::V4(base) => IpAddr::V4((u32::from(base) + offset).into()),
        IpAddr::V6(base) => IpAddr::V6((u128::from(base) + u128::from(offset)).into()),
    }
}
