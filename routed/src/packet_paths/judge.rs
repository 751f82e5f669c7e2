//! Compares what the kernel would do with a packet with our route for it, and finds the culprit.
//! Pure.

use std::net::IpAddr;

use ipnet::IpNet;
use nix::errno::Errno;
use wire::netlink::{Fate, Packet, PolicyAction, PolicyRule, Route, RouteKind};

use super::PathFault;
use super::facts::{Facts, LOCAL, MAIN, is_own};
use super::questions::{KUBE_PROXY_MARK, Question};
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
    question: &Question,
    fate: &Fate,
    way_back: Option<&Fate>,
    facts: &Facts,
) -> Option<Misrouted> {
    if let Fate::Dropped {
        errno: Errno::ENODEV,
    } = fate
    {
        // The link went meanwhile.
        return None;
    }
    let stand_in = question.packet.iif == Some(LOOPBACK);
    let forwarding = (!stand_in)
        .then(|| not_forwarding(question, fate, facts))
        .flatten();
    if forwarding.is_some() || agrees(fate, &question.wanted) {
        return forwarding;
    }
    if let Fate::Local = fate {
        let culprit = format!("{} is an address of this host itself", question.packet.dst);
        let fix = format!("remove it: ip address show to {}", question.packet.dst);
        return Some(misrouted(question, culprit, String::new(), fix, facts));
    }
    let found = walk(question.packet, fate, facts);
    if let Some(by) = elsewhere(question, fate, found, facts) {
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
        Some(back) if *fate == refused || *fate == invalid => reverse_path(question, back, facts),
        _ => {
            let Fate::Dropped { errno } = fate else {
                return None;
            };
            let culprit = format!("the kernel answers: {}", errno.desc());
            let fix = format!("see ip route get {}", question.packet);
            Some(misrouted(question, culprit, String::new(), fix, facts))
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

fn not_forwarding(question: &Question, fate: &Fate, facts: &Facts) -> Option<Misrouted> {
    let iif = question.packet.iif?;
    let is_refused = matches!(
        fate,
        Fate::Dropped {
            errno: Errno::EHOSTUNREACH
        }
    );
    let is_off = facts.settings.get(&iif).is_some_and(|it| !it.forwards);
    if !(question.packet.dst.is_ipv4() && is_refused && is_off) {
        return None;
    }
    let name = facts.link_name(iif);
    let setting = format!("net.ipv4.conf.{name}.forwarding");
    let culprit = format!("{name} forwards nothing: {setting} = 0");
    let fix = format!(
        "sysctl -w {setting}=1, and find what sets it, such as /etc/sysctl.d or IPv4Forwarding= \
         of systemd-networkd"
    );
    Some(misrouted(question, culprit, String::new(), fix, facts))
}

/// What decides about a packet, as far as rules and tables tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Decision<'a> {
    rule: &'a PolicyRule,
    /// The route that the rule's table has for it.
    route: Option<&'a Route>,
    /// The rule that would have come to our route, but passes over it.
    suppressing: Option<&'a PolicyRule>,
}

/// Goes through the rules as the kernel does (`fib_rules_lookup` in `net/core/fib_rules.c`), towards
/// the table that it named.
fn walk<'a>(packet: Packet, fate: &Fate, facts: &'a Facts) -> Option<Decision<'a>> {
    let named = match fate {
        Fate::Forward { table, .. } => Some(*table),
        _ => None,
    };
    let family = facts.rules.iter();
    let family = family.filter(|rule| rule.to.addr().is_ipv4() == packet.dst.is_ipv4());
    let (mut at_least, mut suppressing) = (0, None);
    for rule in family {
        if rule.priority < at_least || !takes(rule, packet, facts) {
            continue;
        }
        let route = match rule.action {
            PolicyAction::Nop => continue,
            PolicyAction::Goto(priority) => {
                at_least = priority;
                continue;
            }
            PolicyAction::Lookup(LOCAL) => continue,
            PolicyAction::Lookup(table) => {
                let suppressed = rule.suppress_prefix_length;
                let route = facts.route_in(table, packet.dst, suppressed);
                let without = facts.route_in(table, packet.dst, None);
                if route.is_none() && without.is_some_and(is_own) {
                    suppressing = Some(rule);
                }
                if route.is_none() || named.is_some_and(|named| named != table) {
                    continue;
                }
                route
            }
            PolicyAction::LookupVrf if named == Some(MAIN) => continue,
            PolicyAction::LookupVrf
            | PolicyAction::Blackhole
            | PolicyAction::Unreachable
            | PolicyAction::Prohibit => None,
        };
        return Some(Decision {
            rule,
            route,
            suppressing,
        });
    }
    None
}

/// Whether a rule takes a packet of which no more is known than its addresses, its mark and its link.
fn takes(rule: &PolicyRule, packet: Packet, facts: &Facts) -> bool {
    let source_matches = match packet.src {
        Some(src) => rule.from.contains(&src),
        None => rule.from.prefix_len() == 0,
    };
    let iif = facts.link_name(packet.iif.unwrap_or(LOOPBACK));
    let is_in_vrf = packet.iif.is_some_and(|iif| facts.in_vrf.contains(&iif));
    let matches = source_matches
        && rule.to.contains(&packet.dst)
        && rule
            .mark
            .is_none_or(|(mark, mask)| packet.mark & mask == mark)
        && rule.iif.as_ref().is_none_or(|name| *name == iif)
        && rule.oif.is_none()
        && !rule.looks_deeper
        && (rule.action != PolicyAction::LookupVrf || is_in_vrf);
    matches != rule.inverted
}

/// The rule or the route that takes a packet elsewhere; `None` where the rules come to our route.
fn elsewhere(
    question: &Question,
    fate: &Fate,
    found: Option<Decision<'_>>,
    facts: &Facts,
) -> Option<Misrouted> {
    let chosen = match fate {
        Fate::Forward { route, .. } => Some(route),
        _ => None,
    };
    let cidr = pod_cidr(question.packet.dst, facts);
    let Some(Decision {
        rule,
        route,
        suppressing,
    }) = found
    else {
        let route = chosen?;
        let instead = format!("the kernel sends them{}", facts.way(route));
        let fix = format!("see ip rule and ip route get {}", question.packet);
        return Some(misrouted(question, instead, String::new(), fix, facts));
    };
    let passes_over =
        suppressing.map(|rule| format!(", for the policy rule \"{rule}\" passes over our route"));
    let passes_over = passes_over.unwrap_or_default();
    let takes = match rule.action {
        PolicyAction::Lookup(MAIN) => {
            let route = route.filter(|route| !is_own(route))?;
            let protocol = messages::protocol(route.protocol);
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
            return Some(misrouted(question, culprit, passes_over, fix, facts));
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
    let family = if cidr.addr().is_ipv4() { "" } else { "-6 " };
    // Before it, the rules of the local table and of VRFs aside.
    let before = suppressing.map_or(rule.priority, |it| it.priority.min(rule.priority));
    let fix = match before.checked_sub(1).filter(|place| *place > 0) {
        Some(place) => format!(
            "let packets to pods pass it: ip {family}rule add priority {place} to {cidr} lookup main; \
             or remove it: ip {family}rule del priority {}",
            rule.priority
        ),
        None => format!("remove it: ip {family}rule del priority {}", rule.priority),
    };
    Some(misrouted(question, culprit, takes.1, fix, facts))
}

/// What `rp_filter` dropped: the way back is by another link, or there is none.
fn reverse_path(question: &Question, back: &Fate, facts: &Facts) -> Option<Misrouted> {
    let (iif, src) = (question.packet.iif?, question.packet.src?);
    let wanted = facts.own_route(src)?.clone();
    let way_back = Question {
        packet: Packet::to(src),
        wanted,
    };
    if let Some(by) = judge(&way_back, back, None, facts) {
        // What leads the way back astray is the culprit of both.
        return Some(Misrouted {
            packet: described(question, facts),
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
        "rp_filter drops what comes in by {name}: the way back is{}, and net.ipv4.conf.{of}.rp_filter \
         = {value}",
        facts.way(&way_back.wanted)
    );
    let fix =
        format!("sysctl -w net.ipv4.conf.{name}.rp_filter=2, or send both ways over one link");
    Some(misrouted(question, culprit, String::new(), fix, facts))
}

fn misrouted(
    question: &Question,
    culprit: String,
    instead: String,
    fix: String,
    facts: &Facts,
) -> Misrouted {
    let packet = described(question, facts);
    Misrouted {
        packet,
        culprit,
        instead,
        fix,
    }
}

/// `packets from 10.244.1.2 to 10.244.2.2 should go via 192.168.1.12 dev eth0`.
fn described(Question { packet, wanted }: &Question, facts: &Facts) -> String {
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

/// The pod CIDR that has an address, or the address itself.
fn pod_cidr(address: IpAddr, facts: &Facts) -> IpNet {
    let mut cidrs = facts.pod_cidrs.iter();
    let cidr = cidrs.find(|cidr| cidr.contains(&address));
    cidr.copied().unwrap_or_else(|| address.into())
}
