//! Which policy rule decides about a packet. Pure.

use std::net::IpAddr;

use ipnet::IpNet;
use wire::netlink::{Fate, Packet, PolicyAction, PolicyRule, Route};

use super::facts::{LOCAL, MAIN, PacketFacts, is_own};
use super::faults::PathFault;
use super::packet_queries::PacketQuery;
use crate::kernel::LOOPBACK;

/// The priority of the rule that looks into the main table, as the kernel makes it.
const MAIN_PRIORITY: u32 = 32766;

/// What decides about a packet, as far as rules and tables tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RoutingDecision<'a> {
    pub(super) rule: &'a PolicyRule,
    /// The route that the rule's table has for it.
    pub(super) route: Option<&'a Route>,
    /// The rule that would have come to our route, but passes over it.
    pub(super) suppressing: Option<&'a PolicyRule>,
}

/// Goes through the rules as the kernel does (`fib_rules_lookup` in `net/core/fib_rules.c`), towards
/// the table that it named.
pub(super) fn walk<'a>(
    packet: Packet,
    fate: &Fate,
    facts: &'a PacketFacts,
) -> Option<RoutingDecision<'a>> {
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
            PolicyAction::Goto(priority) => {
                at_least = priority;
                continue;
            }
            PolicyAction::Nop | PolicyAction::Lookup(LOCAL) => continue,
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
        return Some(RoutingDecision {
            rule,
            route,
            suppressing,
        });
    }
    None
}

/// Whether a rule takes a packet of which no more is known than its addresses, its mark and its link.
fn takes(rule: &PolicyRule, packet: Packet, facts: &PacketFacts) -> bool {
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

/// The rules that take some packets of a query's kind elsewhere, by what the kernel is not queried
/// with, such as a port.
pub(super) fn narrow_rules(query: &PacketQuery, facts: &PacketFacts) -> Vec<PathFault> {
    let PacketQuery { packet, wanted } = query;
    let is_before = |rule: &&PolicyRule| rule.priority < MAIN_PRIORITY && rule.looks_deeper;
    let of_family = |rule: &&PolicyRule| rule.to.addr().is_ipv4() == packet.dst.is_ipv4();
    let rules = facts.rules.iter().filter(of_family).filter(is_before);
    let taken = rules.filter(|rule| {
        let widened = PolicyRule {
            looks_deeper: false,
            ..(*rule).clone()
        };
        // What a rule with `not` leaves alone cannot be told.
        takes(&widened, *packet, facts) || rule.inverted
    });
    let harmful = taken.filter(|rule| match rule.action {
        PolicyAction::Lookup(table) => {
            let route = facts.route_in(table, packet.dst, rule.suppress_prefix_length);
            route.is_some_and(|it| (it.via, it.dev) != (wanted.via, wanted.dev))
        }
        PolicyAction::Blackhole | PolicyAction::Unreachable | PolicyAction::Prohibit => true,
        PolicyAction::LookupVrf | PolicyAction::Goto(_) | PolicyAction::Nop => false,
    });
    let remark = |rule: &PolicyRule| PathFault {
        text: format!(
            "the policy rule \"{rule}\" takes some packets to pods elsewhere: it looks at a port, a \
             protocol, a user or the like"
        ),
        fix: pass_rule(rule, rule.priority, packet.dst, facts),
    };
    harmful.map(remark).collect()
}

/// How packets to pods pass a rule: by one for the pod CIDR before `priority`.
pub(super) fn pass_rule(
    rule: &PolicyRule,
    priority: u32,
    dst: IpAddr,
    facts: &PacketFacts,
) -> String {
    let cidr = pod_cidr(dst, facts);
    let family = if cidr.addr().is_ipv4() { "" } else { "-6 " };
    let remove = format!("remove it: ip {family}rule del priority {}", rule.priority);
    // The first is that of the local table.
    match priority.checked_sub(1).filter(|place| *place > 0) {
        Some(place) => format!(
            "let packets to pods pass it: ip {family}rule add priority {place} to {cidr} lookup main; \
             or {remove}"
        ),
        None => remove,
    }
}

/// The pod CIDR that has an address, or the address itself.
fn pod_cidr(address: IpAddr, facts: &PacketFacts) -> IpNet {
    let mut cidrs = facts.pod_cidrs.iter();
    let cidr = cidrs.find(|cidr| cidr.contains(&address));
    cidr.copied().unwrap_or_else(|| address.into())
}
