//! Asks the kernel. Nothing here decides.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use wire::netlink::{Error, Fate, NetlinkSocket, Packet};
use wire::sysctl;

use super::facts::{LinkSettings, PacketFacts};
use super::faults::{Examined, PathFault};
use super::judge::{Misrouted, by_culprit, judge};
use super::packet_queries::{self, MAX_PEERS, PacketQuery, Peer};
use super::rules::narrow_rules;
use crate::kernel::{LOOPBACK, Netlink};

/// For so many addresses of a peer.
const MAX_ADDRESSES: usize = 8;

/// The packets of every kind that pods of this node depend on.
pub(crate) fn examine(
    kernel: &mut Netlink,
    pod_cidrs: &[IpNet],
    peers: &[Peer],
) -> Result<Examined, Error> {
    twice(|| examine_once(kernel, pod_cidrs, peers))
}

/// Looks again where something is wrong: routes may have changed between the listing and the answers.
fn twice(mut look: impl FnMut() -> Result<Examined, Error>) -> Result<Examined, Error> {
    let first = look()?;
    if first.faults.is_empty() {
        Ok(first)
    } else {
        look()
    }
}

fn examine_once(
    kernel: &mut Netlink,
    pod_cidrs: &[IpNet],
    peers: &[Peer],
) -> Result<Examined, Error> {
    let mut facts = read(kernel, pod_cidrs)?;
    let queries = packet_queries::for_node(&facts);
    let mut examined = query_all(kernel, &queries, &mut facts)?;
    let mut by_other_links = Vec::new();
    for peer in peers.iter().take(MAX_PEERS) {
        if let Some(ends) = packet_queries::ends(&facts, peer) {
            by_other_links.extend(ask_by_other_links(
                kernel,
                &mut facts,
                &peer.addresses,
                ends,
            )?);
        }
    }
    examined.remarks.extend(by_culprit(by_other_links));
    for query in packet_queries::marked(&facts) {
        let fate = fate(kernel, query.packet)?;
        let found = judge(&query, &fate, None, &facts);
        examined
            .marked
            .extend(found.map(|found| PathFault::from(found).text));
    }
    Ok(examined)
}

/// The packets between two pods, and of this host to both. `peer` are the addresses of the node of the
/// one that is not on this node.
pub(crate) fn between(
    kernel: &mut Netlink,
    pod_cidrs: &[IpNet],
    pods: [IpAddr; 2],
    peer: &[IpAddr],
) -> Result<Examined, Error> {
    twice(|| {
        let mut facts = read(kernel, pod_cidrs)?;
        let queries = packet_queries::for_pair(&facts, pods);
        let mut examined = query_all(kernel, &queries, &mut facts)?;
        let is_remote = |pod| {
            facts
                .own_route(pod)
                .is_some_and(|route| route.via.is_some())
        };
        let ends = match pods.map(is_remote) {
            [true, false] => Some(pods),
            [false, true] => Some([pods[1], pods[0]]),
            _ => None,
        };
        if let Some(ends) = ends {
            let found = ask_by_other_links(kernel, &mut facts, peer, ends)?;
            examined.remarks.extend(by_culprit(found));
        }
        Ok(examined)
    })
}

fn read(kernel: &mut Netlink, pod_cidrs: &[IpNet]) -> Result<PacketFacts, Error> {
    kernel.with(|socket| {
        let links = socket.links()?;
        let is_of_vrf = |index| {
            let vrf = links.iter().find(|link| Some(link.index) == index);
            vrf.is_some_and(|link| link.kind.as_deref() == Some("vrf"))
        };
        let members = links
            .iter()
            .filter(|link| is_of_vrf(link.master) || is_of_vrf(Some(link.index)));
        let mut facts = PacketFacts {
            pod_cidrs: pod_cidrs.to_vec(),
            in_vrf: members.map(|link| link.index).collect(),
            links: links
                .iter()
                .map(|link| (link.index, link.name.clone()))
                .collect(),
            rules: socket.policy_rules()?,
            ..PacketFacts::default()
        };
        for table in packet_queries::tables(&facts) {
            facts.tables.insert(table, socket.routes_of(table)?);
        }
        Ok(facts.index())
    })
}

fn query_all(
    kernel: &mut Netlink,
    queries: &[PacketQuery],
    facts: &mut PacketFacts,
) -> Result<Examined, Error> {
    let mut hosts = BTreeMap::new();
    for packet in queries.iter().map(|query| query.packet) {
        let Some(iif) = packet.iif.filter(|iif| *iif != LOOPBACK) else {
            continue;
        };
        let name = facts.link_name(iif);
        if packet.dst.is_ipv4() {
            facts.settings.entry(iif).or_insert_with(|| settings(&name));
        } else if value(&format!("net/ipv6/conf/{name}/forwarding")) == Some(0) {
            hosts.entry(iif).or_insert_with(|| no_router(&name));
        }
    }
    let (mut found, mut remarks) = (Vec::new(), hosts.into_values().collect::<Vec<_>>());
    for query in queries {
        let fate = fate(kernel, query.packet)?;
        let back = match (&fate, query.packet.src, query.packet.iif) {
            (Fate::Dropped { .. }, Some(src), Some(_)) => {
                Some(self::fate(kernel, Packet::to(src))?)
            }
            _ => None,
        };
        found.extend(judge(query, &fate, back.as_ref(), facts));
        for remark in narrow_rules(query, facts) {
            if !remarks.contains(&remark) {
                remarks.push(remark);
            }
        }
    }
    Ok(Examined {
        queries: queries.len(),
        faults: by_culprit(found),
        remarks,
        marked: Vec::new(),
    })
}

/// Asks about packets of a peer's pod that come in by links on which the peer has an address, other
/// than the one that our route leaves by: which of them the peer takes is its own choice.
fn ask_by_other_links(
    kernel: &mut Netlink,
    facts: &mut PacketFacts,
    addresses: &[IpAddr],
    ends: [IpAddr; 2],
) -> Result<Vec<Misrouted>, Error> {
    let mut found = Vec::new();
    let v4 = addresses
        .iter()
        .filter(|address| address.is_ipv4() && ends[0].is_ipv4());
    for address in v4.take(MAX_ADDRESSES) {
        let Fate::Forward { route, .. } = fate(kernel, Packet::to(*address))? else {
            continue;
        };
        let on_link = route.dev.filter(|_| route.via.is_none());
        let query = on_link.and_then(|dev| packet_queries::by_other_link(facts, dev, ends));
        let Some((query, dev)) = query.zip(on_link) else {
            continue;
        };
        let name = facts.link_name(dev);
        facts.settings.entry(dev).or_insert_with(|| settings(&name));
        let answer = fate(kernel, query.packet)?;
        let back = fate(kernel, Packet::to(ends[0]))?;
        found.extend(judge(&query, &answer, Some(&back), facts).map(Misrouted::if_sent));
    }
    Ok(found)
}

/// What the kernel would do. It chooses the source of this host's own packets by a first look-up,
/// and looks up again with that source, which rules may name.
fn fate(kernel: &mut Netlink, packet: Packet) -> Result<Fate, Error> {
    kernel.with(|socket: &mut NetlinkSocket| {
        let fate = socket.fate_of(packet)?;
        match &fate {
            Fate::Forward { route, .. } if packet.src.is_none() && route.src.is_some() => {
                let src = route.src;
                socket.fate_of(Packet { src, ..packet })
            }
            _ => Ok(fate),
        }
    })
}

fn settings(link: &str) -> LinkSettings {
    let rp_filter = |of: &str| value(&format!("net/ipv4/conf/{of}/rp_filter")).unwrap_or(0);
    LinkSettings {
        forwards: value(&format!("net/ipv4/conf/{link}/forwarding")) != Some(0),
        rp_filter: rp_filter(link),
        rp_filter_of_all: rp_filter("all"),
    }
}

fn value(setting: &str) -> Option<u8> {
    sysctl::read(setting).ok()?.parse().ok()
}

/// IPv6 forwards by the setting of all links alone (`ip6_forward` in `net/ipv6/ip6_output.c`); that
/// of a link says whether it behaves as a router's.
fn no_router(link: &str) -> PathFault {
    let setting = format!("net.ipv6.conf.{link}.forwarding");
    PathFault {
        text: format!(
            "{link} behaves as a host's link, not as a router's ({setting} = 0): packets of pods \
             pass, but its neighbours do not take this node for a router"
        ),
        fix: format!("sysctl -w {setting}=1"),
    }
}
