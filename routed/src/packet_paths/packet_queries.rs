//! Chooses the packets that the kernel is queried about. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use wire::address_number::{address, number};
use wire::netlink::{Packet, PolicyAction, Route, RouteKind};

use super::facts::{LOCAL, MAIN, PacketFacts};
use crate::fib::plan;
use crate::kernel::{LOOPBACK, is_link_local_v6};
use crate::status::NodeRow;

/// For so many subnets of peers per family the kernel is queried. Those that a rule or a route of
/// another program names come first.
pub(super) const MAX_PEERS: usize = 64;

/// For so many pods of this node per family.
const MAX_PODS: usize = 256;

/// For so many prefixes inside the pod CIDRs that rules and routes of other programs name.
const MAX_NAMED: usize = 32;

/// With this mark kube-proxy has packets masqueraded (`--iptables-masquerade-bit` 14).
pub(super) const KUBE_PROXY_MARK: u32 = 0x4000;

/// A peer, as far as the links matter by which its packets come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its subnets.
    pub(crate) subnets: Vec<IpNet>,
    /// The addresses that it advertises.
    pub(crate) addresses: Vec<IpAddr>,
}

impl From<NodeRow> for Peer {
    fn from(row: NodeRow) -> Self {
        Self {
            subnets: row.subnets,
            addresses: row.addresses,
        }
    }
}

/// A packet, and our route for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PacketQuery {
    pub(super) packet: Packet,
    pub(super) wanted: Route,
}

/// The packets of every kind: from pods of this node to peers' pods and back, and from this host to
/// both.
pub(super) fn for_node(facts: &PacketFacts) -> Vec<PacketQuery> {
    [true, false]
        .into_iter()
        .flat_map(|v4| for_family(facts, v4))
        .collect()
}

fn for_family(facts: &PacketFacts, v4: bool) -> Vec<PacketQuery> {
    let own: Vec<&Route> = facts.own_routes(v4).collect();
    let points = |is_it: &dyn Fn(&Route) -> bool| -> Vec<IpAddr> {
        let routes = own.iter().filter(|route| is_it(route));
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
    // Without a peer, another address of this node.
    let mut others = peers.iter().chain(&pods).chain(&subnets).copied();
    let there = others.find(|point| *point != here).unwrap_or(here);

    let inside_pod_cidrs = named.iter().filter(|prefix| facts.is_in_pod_cidrs(prefix));
    let named = inside_pod_cidrs.map(|prefix| inside(*prefix));
    let named = named.filter(|point| point.is_ipv4() == v4).take(MAX_NAMED);
    let all = peers.into_iter().take(MAX_PEERS).chain(named);
    let all = all.chain(pods.into_iter().take(MAX_PODS)).chain(subnets);
    let mut queries = Vec::new();
    let (mut seen, mut pairs) = (BTreeSet::new(), BTreeSet::new());
    for point in all.filter(|point| seen.insert(*point)) {
        let is_remote = facts
            .own_route(point)
            .is_some_and(|route| route.via.is_some());
        let other = if is_remote { here } else { there };
        let pair = for_pair(facts, [other, point]).into_iter();
        queries
            .extend(pair.filter(|it| pairs.insert((it.packet.iif, it.packet.src, it.packet.dst))));
    }
    queries.extend(from_outside(facts, here));
    if kube_proxy_mark_matters(facts) {
        let marked = for_pair(facts, [here, there])
            .into_iter()
            .map(|query| PacketQuery {
                packet: Packet {
                    mark: KUBE_PROXY_MARK,
                    ..query.packet
                },
                ..query
            });
        queries.extend(marked);
    }
    queries
}

/// The packet of a peer's pod that would come in by `link`, by which we do not route to the peer.
pub(super) fn by_other_link(
    facts: &PacketFacts,
    link: u32,
    [remote, here]: [IpAddr; 2],
) -> Option<PacketQuery> {
    let wanted = facts.own_route(here)?.clone();
    let usual = facts.own_route(remote)?.dev?;
    let packet = Packet::through(link, remote, here);
    (usual != link).then_some(PacketQuery { packet, wanted })
}

/// A pod of a peer and one of this node, both of IPv4, which alone has `rp_filter`.
pub(super) fn ends(facts: &PacketFacts, peer: &Peer) -> Option<[IpAddr; 2]> {
    let subnet = peer.subnets.iter().find(|subnet| subnet.addr().is_ipv4())?;
    let remote = inside(*subnet);
    facts.own_route(remote)?.via?;
    let here = facts.own_routes(true).filter(|route| route.via.is_none());
    // A pod before a subnet.
    let here = here.max_by_key(|route| route.dst.prefix_len())?;
    Some([remote, inside(here.dst)])
}

/// What comes back from outside of the cluster: packets from the gateways of default routes.
fn from_outside(facts: &PacketFacts, pod: IpAddr) -> Vec<PacketQuery> {
    let main = facts.tables.get(&MAIN).into_iter().flatten();
    let gateways = main.filter(|route| route.dst.prefix_len() == 0);
    let gateways = gateways.filter_map(|route| Some((route.via?, route.dev?)));
    let routed =
        gateways.filter(|(via, _)| via.is_ipv4() == pod.is_ipv4() && !is_link_local_v6(*via));
    let query = |(via, dev)| {
        let wanted = facts.own_route(pod)?.clone();
        let packet = Packet::through(dev, via, pod);
        Some(PacketQuery { packet, wanted })
    };
    routed.filter_map(query).collect()
}

/// The packets between two pods, in both directions, and of this host to both.
pub(super) fn for_pair(facts: &PacketFacts, [a, b]: [IpAddr; 2]) -> Vec<PacketQuery> {
    let forwarded = [(a, b), (b, a)].into_iter().filter_map(|(src, dst)| {
        let wanted = facts.own_route(dst)?.clone();
        // A pod that is not there yet comes in by no link; `lo` stands in for it.
        let iif = facts.own_route(src)?.dev.unwrap_or(LOOPBACK);
        let packet = Packet::through(iif, src, dst);
        Some(PacketQuery { packet, wanted }).filter(|_| src != dst)
    });
    let of_host = [a, b].into_iter().filter_map(|dst| {
        let wanted = facts.own_route(dst)?.clone();
        Some(PacketQuery {
            packet: Packet::to(dst),
            wanted,
        })
    });
    forwarded.chain(of_host).collect()
}

/// One packet for each mark that a rule asks for, from a pod to a peer's.
pub(super) fn marked(facts: &PacketFacts) -> Vec<PacketQuery> {
    let plain = for_node(facts);
    let forwarded = plain.iter().filter(|query| query.packet.iif.is_some());
    let mut firsts: Vec<&PacketQuery> = Vec::new();
    for query in forwarded.filter(|query| query.packet.mark == 0) {
        let is_known = |it: &&PacketQuery| it.packet.dst.is_ipv4() == query.packet.dst.is_ipv4();
        if !firsts.iter().any(is_known) {
            firsts.push(query);
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
            let with_mark = move |query: &&PacketQuery| PacketQuery {
                packet: Packet {
                    mark,
                    ..query.packet
                },
                wanted: query.wanted.clone(),
            };
            firsts.iter().map(with_mark).collect::<Vec<_>>()
        })
        .collect()
}

fn kube_proxy_mark_matters(facts: &PacketFacts) -> bool {
    let mut marks = facts.rules.iter().filter_map(|rule| rule.mark);
    marks.any(|(mark, mask)| mark != 0 && KUBE_PROXY_MARK & mask == mark)
}

/// The prefixes in which rules and routes of other programs say something about pods.
fn named_elsewhere(facts: &PacketFacts) -> Vec<IpNet> {
    let rules = facts.rules.iter().flat_map(|rule| [rule.to, rule.from]);
    let rules = rules.filter(|prefix| prefix.prefix_len() > 0);
    rules
        .chain(facts.foreign_in_pod_cidrs().map(|route| route.dst))
        .collect()
}

/// The tables that rules name, beside the local one.
pub(super) fn tables(facts: &PacketFacts) -> BTreeSet<u32> {
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

/// An address of a prefix that no host is likely to have itself: not the first ones, and not the
/// last, which is IPv4's broadcast address.
fn inside(prefix: IpNet) -> IpAddr {
    let free_bits = prefix.max_prefix_len() - prefix.prefix_len();
    let last = number(prefix.broadcast());
    address(prefix.addr().is_ipv4(), last - u128::from(free_bits > 1))
}
