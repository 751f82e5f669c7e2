//! Compares what the kernel would do with a packet with our route for it, and finds the culprit.
//! Pure.

use std::collections::BTreeMap;

use nix::errno::Errno;
use wire::netlink::{Fate, Packet, PolicyAction, Route, RouteKind};

use super::facts::{MAIN, PacketFacts, is_own};
use super::faults::PathFault;
use super::packet_queries::{KUBE_PROXY_MARK, PacketQuery};
use super::rules::{RoutingDecision, pass_rule, walk};
use crate::kernel::LOOPBACK;
use crate::reconcile::messages;

/// A packet that does not go the way that our route says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misrouted {
    /// The packet and its way, in words.
    packet: String,
    /// What takes it elsewhere, in words; the same for all packets that one rule, route or setting
    /// takes.
    pub(super) culprit: String,
    /// Where the packet goes instead, if it goes anywhere.
    instead: String,
    fix: String,
}

impl Misrouted {
    /// The same about a packet that a peer may send.
    pub(super) fn if_sent(self) -> Self {
        Self {
            packet: format!("if their node sends them, {}", self.packet),
            ..self
        }
    }
}

impl From<Misrouted> for PathFault {
    fn from(it: Misrouted) -> Self {
        Self {
            text: format!("{}, but {}{}", it.packet, it.culprit, it.instead),
            fix: it.fix,
        }
    }
}

/// Judges an answer. `way_back` is the answer for a packet of this host to the packet's source; it
/// is only looked at where `rp_filter` may have dropped the packet.
pub(super) fn judge(
    query: &PacketQuery,
    fate: &Fate,
    way_back: Option<&Fate>,
    facts: &PacketFacts,
) -> Option<Misrouted> {
    if let Fate::Dropped {
        errno: Errno::ENODEV,
    } = fate
    {
        // The link went meanwhile.
        return None;
    }
    let stand_in = query.packet.iif == Some(LOOPBACK);
    let forwarding = (!stand_in)
        .then(|| not_forwarding(query, fate, facts))
        .flatten();
    if forwarding.is_some() || agrees(fate, &query.wanted) {
        return forwarding;
    }
    if let Fate::Local = fate {
        let culprit = format!("{} is an address of this host itself", query.packet.dst);
        let fix = format!("remove it: ip address show to {}", query.packet.dst);
        return Some(misrouted(query, culprit, String::new(), fix, facts));
    }
    let found = walk(query.packet, fate, facts);
    if let Some(by) = elsewhere(query, fate, found, facts) {
        return Some(by);
    }
    let refused = Fate::Dropped {
        errno: Errno::EXDEV,
    };
    let invalid = Fate::Dropped {
        errno: Errno::EINVAL,
    };
    match way_back {
        _ if stand_in => None,
        Some(back) if *fate == refused || *fate == invalid => reverse_path(query, back, facts),
        _ => {
            let culprit = match fate {
                Fate::Dropped { errno } => format!("the kernel answers: {}", errno.desc()),
                // With `ignore_routes_with_linkdown`, for one.
                Fate::Forward { route, .. } => {
                    format!("the kernel sends them{}, past our route", facts.way(route))
                }
                Fate::Local => return None,
            };
            let fix = format!("see ip route get {}", query.packet);
            Some(misrouted(query, culprit, String::new(), fix, facts))
        }
    }
}

/// Whether the packet goes where our route leads, whichever table says so.
fn agrees(fate: &Fate, wanted: &Route) -> bool {
    match (fate, wanted.kind) {
        (Fate::Dropped { errno }, RouteKind::Unreachable) => *errno == Errno::EHOSTUNREACH,
        // Which of its next hops is taken is the kernel's choice.
        (Fate::Forward { table, .. }, RouteKind::Multipath) => *table == MAIN,
        (Fate::Forward { route, .. }, RouteKind::Unicast) => {
            (route.via, route.dev) == (wanted.via, wanted.dev)
        }
        _ => false,
    }
}

fn not_forwarding(query: &PacketQuery, fate: &Fate, facts: &PacketFacts) -> Option<Misrouted> {
    let iif = query.packet.iif?;
    let is_refused = matches!(
        fate,
        Fate::Dropped {
            errno: Errno::EHOSTUNREACH
        }
    );
    let is_off = facts.settings.get(&iif).is_some_and(|it| !it.forwards);
    if !(query.packet.dst.is_ipv4() && is_refused && is_off) {
        return None;
    }
    let name = facts.link_name(iif);
    let setting = format!("net.ipv4.conf.{name}.forwarding");
    let culprit = format!("{name} forwards nothing: {setting} = 0");
    let fix = format!(
        "sysctl -w {setting}=1, and find what sets it, such as /etc/sysctl.d or IPv4Forwarding= \
         of systemd-networkd"
    );
    Some(misrouted(query, culprit, String::new(), fix, facts))
}

/// The rule or the route that takes a packet elsewhere; `None` where the rules come to our route.
fn elsewhere(
    query: &PacketQuery,
    fate: &Fate,
    found: Option<RoutingDecision<'_>>,
    facts: &PacketFacts,
) -> Option<Misrouted> {
    let chosen = match fate {
        Fate::Forward { route, .. } => Some(route),
        _ => None,
    };
    let Some(RoutingDecision {
        rule,
        route,
        suppressing,
    }) = found
    else {
        let route = chosen?;
        let instead = format!("the kernel sends them{}", facts.way(route));
        let fix = format!("see ip rule and ip route get {}", query.packet);
        return Some(misrouted(query, instead, String::new(), fix, facts));
    };
    let passes_over =
        suppressing.map(|rule| format!(", for the policy rule \"{rule}\" passes over our route"));
    let passes_over = passes_over.unwrap_or_default();
    let takes = match rule.action {
        PolicyAction::Lookup(MAIN) => {
            let route = route.filter(|route| !is_own(route))?;
            return Some(by_foreign_route(query, route, passes_over, facts));
        }
        PolicyAction::Lookup(table) => {
            if chosen.is_none() && route.is_some_and(is_own) {
                return None;
            }
            let route = route.map(|route| format!(", which has {}{}", route.dst, facts.way(route)));
            let route = route.unwrap_or_default();
            (
                format!("sends them to table {table}"),
                format!("{route}{passes_over}"),
            )
        }
        PolicyAction::LookupVrf => {
            let way = chosen.map_or(", which has no route for them".to_owned(), |route| {
                format!(", which sends them{}", facts.way(route))
            });
            ("sends them to the table of a VRF".to_owned(), way)
        }
        _ => ("refuses them".to_owned(), String::new()),
    };
    let culprit = format!("the policy rule \"{rule}\" {}", takes.0);
    let before = suppressing.map_or(rule.priority, |it| it.priority.min(rule.priority));
    let fix = pass_rule(rule, before, query.packet.dst, facts);
    Some(misrouted(query, culprit, takes.1, fix, facts))
}

/// `route` of another program is chosen instead of ours.
fn by_foreign_route(
    query: &PacketQuery,
    route: &Route,
    passes_over: String,
    facts: &PacketFacts,
) -> Misrouted {
    let protocol = messages::protocol_name(route.protocol);
    let text = format!("{}{} proto {protocol}", route.dst, facts.way(route));
    let culprit = format!("another program's route wins: {text}");
    let metric = route.metric.map(|metric| format!(" metric {metric}"));
    let metric = metric.unwrap_or_default();
    let family = if route.dst.addr().is_ipv4() {
        ""
    } else {
        "-6 "
    };
    let fix = format!(
        "remove what made it, and then the route: ip {family}route del {}{}{metric} proto {}",
        route.dst,
        facts.way(route),
        route.protocol
    );
    misrouted(query, culprit, passes_over, fix, facts)
}

/// What `rp_filter` dropped: the way back is by another link, or there is none.
fn reverse_path(query: &PacketQuery, back: &Fate, facts: &PacketFacts) -> Option<Misrouted> {
    let (iif, src) = (query.packet.iif?, query.packet.src?);
    let wanted = facts.own_route(src)?.clone();
    let way_back = PacketQuery {
        packet: Packet::to(src),
        wanted,
    };
    if let Some(by) = judge(&way_back, back, None, facts) {
        // What leads the way back astray is the culprit of both.
        return Some(Misrouted {
            packet: described(query, facts),
            ..by
        });
    }
    let settings = facts.settings.get(&iif)?;
    let name = facts.link_name(iif);
    let (of, value) = match settings.rp_filter_of_all.max(settings.rp_filter) {
        0 => return None,
        value if value == settings.rp_filter => (name.clone(), value),
        value => ("all".to_owned(), value),
    };
    let culprit = format!(
        "rp_filter drops what comes in by {name}: the way back is by {}, and \
         net.ipv4.conf.{of}.rp_filter = {value}",
        facts.link_name(way_back.wanted.dev?)
    );
    let fix =
        format!("sysctl -w net.ipv4.conf.{name}.rp_filter=2, or send both ways over one link");
    Some(misrouted(query, culprit, String::new(), fix, facts))
}

fn misrouted(
    query: &PacketQuery,
    culprit: String,
    instead: String,
    fix: String,
    facts: &PacketFacts,
) -> Misrouted {
    let packet = described(query, facts);
    Misrouted {
        packet,
        culprit,
        instead,
        fix,
    }
}

/// `packets from 10.244.1.2 to 10.244.2.2 should go via 192.168.1.12 dev eth0`.
fn described(PacketQuery { packet, wanted }: &PacketQuery, facts: &PacketFacts) -> String {
    let from = match (packet.iif, packet.src) {
        (None, _) => "of this host".to_owned(),
        (Some(LOOPBACK), _) => "of pods of this node".to_owned(),
        (Some(iif), src) => {
            let src = src.map(|src| format!("from {src}")).unwrap_or_default();
            format!("{src} that come in by {}", facts.link_name(iif))
        }
    };
    let mark = match packet.mark {
        0 => String::new(),
        KUBE_PROXY_MARK => format!(" with kube-proxy's mark {KUBE_PROXY_MARK:#x}"),
        mark => format!(" with mark {mark:#x}"),
    };
    let way = match wanted.kind {
        RouteKind::Unreachable => " nowhere, as no pod has the address".to_owned(),
        _ => facts.way(wanted),
    };
    format!("packets {from}{mark} to {} should go{way}", packet.dst)
}

/// One fault for each culprit: the first packet that it harms is described, the others are counted.
pub(super) fn by_culprit(found: Vec<Misrouted>) -> Vec<PathFault> {
    let mut order: Vec<String> = Vec::new();
    let mut groups: BTreeMap<String, (PathFault, usize)> = BTreeMap::new();
    for misrouted in found {
        let culprit = misrouted.culprit.clone();
        if let Some((_, more)) = groups.get_mut(&culprit) {
            *more += 1;
        } else {
            order.push(culprit.clone());
            groups.insert(culprit, (misrouted.into(), 0));
        }
    }
    let described = |culprit: String| {
        let (mut fault, more) = groups.remove(&culprit)?;
        if more > 0 {
            let more = format!(" (the same for {more} more of the packets asked about)");
            fault.text.push_str(&more);
        }
        Some(fault)
    };
    order.into_iter().filter_map(described).collect()
}
