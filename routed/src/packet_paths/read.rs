//! Asks the kernel. Nothing here decides.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use wire::netlink::{Error, Fate, Packet, Socket};
use wire::sysctl;

use super::facts::{Facts, LinkSettings};
use super::judge::judge;
use super::questions::{self, Question};
use super::{Examined, PathFault, by_culprit};
use crate::kernel::{LOOPBACK, Netlink};

/// The packets of every kind that pods of this node depend on.
pub(crate) fn examine(kernel: &mut Netlink, pod_cidrs: &[IpNet]) -> Result<Examined, Error> {
    let mut facts = read(kernel, pod_cidrs)?;
    let asked = questions::for_node(&facts);
    let mut examined = ask_all(kernel, &asked, &mut facts)?;
    for question in questions::marked(&facts) {
        let fate = fate(kernel, question.packet)?;
        let found = judge(&question, &fate, None, &facts);
        examined
            .marked
            .extend(found.map(|found| PathFault::from(found).text));
    }
    Ok(examined)
}

/// The packets between two pods, and of this host to both.
pub(crate) fn between(
    kernel: &mut Netlink,
    pod_cidrs: &[IpNet],
    pods: [IpAddr; 2],
) -> Result<Examined, Error> {
    let mut facts = read(kernel, pod_cidrs)?;
    let asked = questions::for_pair(&facts, pods);
    ask_all(kernel, &asked, &mut facts)
}

fn read(kernel: &mut Netlink, pod_cidrs: &[IpNet]) -> Result<Facts, Error> {
    kernel.with(|socket| {
        let links = socket.links()?;
        let is_vrf = |index| {
            let vrf = links.iter().find(|link| Some(link.index) == index);
            vrf.is_some_and(|link| link.kind.as_deref() == Some("vrf"))
        };
        let in_vrf = links
            .iter()
            .filter(|link| is_vrf(link.master) || is_vrf(Some(link.index)));
        let mut facts = Facts {
            pod_cidrs: pod_cidrs.to_vec(),
            in_vrf: in_vrf.map(|link| link.index).collect(),
            links: links
                .iter()
                .map(|link| (link.index, link.name.clone()))
                .collect(),
            rules: socket.policy_rules()?,
            ..Facts::default()
        };
        for table in questions::tables(&facts) {
            facts.tables.insert(table, socket.routes_of(table)?);
        }
        Ok(facts)
    })
}

fn ask_all(kernel: &mut Netlink, asked: &[Question], facts: &mut Facts) -> Result<Examined, Error> {
    let mut remarks = BTreeMap::new();
    for packet in asked.iter().map(|question| question.packet) {
        let Some(iif) = packet.iif.filter(|iif| *iif != LOOPBACK) else {
            continue;
        };
        let name = facts.link_name(iif);
        if packet.dst.is_ipv4() {
            facts.settings.entry(iif).or_insert_with(|| settings(&name));
        } else if value(&format!("net/ipv6/conf/{name}/forwarding")) == Some(0) {
            remarks.entry(iif).or_insert_with(|| no_router(&name));
        }
    }
    let mut found = Vec::new();
    for question in asked {
        let fate = fate(kernel, question.packet)?;
        let back = match (&fate, question.packet.src, question.packet.iif) {
            (Fate::Dropped { .. }, Some(src), Some(_)) => {
                Some(self::fate(kernel, Packet::to(src))?)
            }
            _ => None,
        };
        found.extend(judge(question, &fate, back.as_ref(), facts));
    }
    Ok(Examined {
        asked: asked.len(),
        faults: by_culprit(found),
        remarks: remarks.into_values().collect(),
        marked: Vec::new(),
    })
}

/// What the kernel would do. It chooses the source of this host's own packets by a first look-up,
/// and looks up again with that source, which rules may name.
fn fate(kernel: &mut Netlink, packet: Packet) -> Result<Fate, Error> {
    kernel.with(|socket: &mut Socket| {
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
