//! The rules of a chain.

use std::ops::RangeInclusive;

use ipnet::IpNet;
use policy::api::L4Protocol;
use policy::rules::{
    ChainEnd, ChainId, ChainRule, RuleAction, RuleChain, RulePeer, RulePorts, Ruleset, SetContent,
    SetId, TrafficDirection,
};
use wire::IpProtocol;
use wire::nft::{AddressField, IpVersion, NftChain, NftRule, NftVerdict, Term};

use super::{NO_CONNECTION, VERSIONS, chain_name, port_set_name, set_name};

/// The group to which denied packets are logged (`nfnetlink_log`): the number of our route protocol.
pub(crate) const LOG_GROUP: u16 = 70;

/// Each rule that drops logs this many packets a second, and so many at once.
const LOG_RATE: u64 = 5;
const LOG_BURST: u32 = 10;

/// Enough of a packet for addresses and ports, behind some extension headers of IPv6.
const LOGGED_BYTES: u32 = 128;

/// Which rule dropped a packet: the prefix by which the log names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DropSite {
    /// The pod was not decided yet.
    Undecided(TrafficDirection),
    /// The rule of a chain with that index.
    Rule(ChainId, usize),
    /// The end of a chain.
    End(ChainId),
}

impl DropSite {
    /// The prefix of the log.
    fn prefix(self) -> String {
        match self {
            Self::Undecided(direction) => format!("undecided {direction}"),
            Self::Rule(ChainId(chain), index) => format!("rule {chain} {index}"),
            Self::End(ChainId(chain)) => format!("end {chain}"),
        }
    }

    /// Reads a prefix; `None` if it is not ours.
    pub(crate) fn parse(prefix: &str) -> Option<Self> {
        let words: Vec<_> = prefix.split(' ').collect();
        Some(match words[..] {
            ["undecided", direction] => {
                let mut all = TrafficDirection::ALL.into_iter();
                Self::Undecided(all.find(|it| it.to_string() == direction)?)
            }
            ["rule", chain, index] => Self::Rule(ChainId(chain.parse().ok()?), index.parse().ok()?),
            ["end", chain] => Self::End(ChainId(chain.parse().ok()?)),
            _ => return None,
        })
    }
}

/// The rules that drop: the first logs, the second drops.
pub(super) fn dropping(matches: &[Term], site: DropSite, comment: &str) -> [NftRule; 2] {
    let log = [
        Term::Limit {
            rate: LOG_RATE,
            burst: LOG_BURST,
        },
        Term::Log {
            group: LOG_GROUP,
            prefix: site.prefix(),
            snap_length: LOGGED_BYTES,
        },
    ];
    let drop = [Term::Counter, Term::Verdict(NftVerdict::Drop)];
    [
        NftRule::new([matches, &log].concat()),
        NftRule::new([matches, &drop].concat()).comment(comment),
    ]
}

/// The rule that drops TCP packets of no known connection that do not begin one.
pub(super) fn only_started() -> NftRule {
    let drop = Term::Verdict(NftVerdict::Drop);
    NftRule::new([Term::NoTcpStart, Term::Counter, drop]).comment(NO_CONNECTION)
}

/// A chain of the ruleset.
pub(super) fn chain(ruleset: &Ruleset, id: ChainId, chain: &RuleChain) -> NftChain {
    let mut rules = vec![only_started()];
    for (index, rule) in chain.rules.iter().enumerate() {
        let site = DropSite::Rule(id, index);
        for matches in all_matches(ruleset, rule, chain.direction) {
            rules.extend(acting(&matches, rule, &chain.end, site));
        }
    }
    match &chain.end {
        ChainEnd::Accept => {}
        ChainEnd::Continue(next) => rules.push(NftRule::new([go_to(*next)])),
        ChainEnd::Deny(policies) => {
            let names: Vec<_> = policies.iter().map(ToString::to_string).collect();
            let comment = end_comment(&names);
            rules.extend(dropping(&[], DropSite::End(id), &comment));
        }
    }
    NftChain {
        name: chain_name(id),
        hook: None,
        rules,
    }
}

/// The comment of the rule that drops what no policy allows: the isolating policies.
pub(crate) fn end_comment(policies: &[String]) -> String {
    format!("isolated by {}", policies.join(", "))
}

fn go_to(chain: ChainId) -> Term {
    Term::Verdict(NftVerdict::Goto(chain_name(chain)))
}

/// What a rule does with what it matches.
fn acting(matches: &[Term], rule: &ChainRule, end: &ChainEnd, site: DropSite) -> Vec<NftRule> {
    let comment = rule.source.comment();
    let verdict = match (rule.action, end) {
        (RuleAction::Deny, _) => return dropping(matches, site, &comment).into(),
        (RuleAction::Pass, ChainEnd::Continue(next)) => NftVerdict::Goto(chain_name(*next)),
        (RuleAction::Accept | RuleAction::Pass, _) => NftVerdict::Return,
    };
    let counted = [Term::Counter, Term::Verdict(verdict)];
    vec![NftRule::new([matches, &counted].concat()).comment(&comment)]
}

/// The terms of a rule, once for each address family that it needs.
fn all_matches(ruleset: &Ruleset, rule: &ChainRule, direction: TrafficDirection) -> Vec<Vec<Term>> {
    let end = match direction {
        TrafficDirection::Egress => AddressField::Destination,
        TrafficDirection::Ingress => AddressField::Source,
    };
    let versions = VERSIONS.into_iter();
    let by_peer: Vec<(Option<IpVersion>, Vec<Term>)> = match &rule.peer {
        RulePeer::Everything => vec![(None, Vec::new())],
        RulePeer::Network(prefix) if prefix.prefix_len() == 0 => {
            let version = version_of(prefix);
            vec![(Some(version), vec![Term::IpVersion(version)])]
        }
        RulePeer::Network(prefix) => {
            let prefix = *prefix;
            vec![(
                Some(version_of(&prefix)),
                vec![Term::Prefix { end, prefix }],
            )]
        }
        RulePeer::Pods(id) | RulePeer::Networks(id) => versions
            .filter(|version| may_have(ruleset, *id, *version))
            .map(|version| (Some(version), vec![member(end, *id, version)]))
            .collect(),
    };
    let combined = by_peer.into_iter().flat_map(|(version, peer)| {
        let all = ports_terms(&rule.ports, version).into_iter();
        all.map(move |ports| [peer.clone(), ports].concat())
    });
    combined.collect()
}

/// The terms of ports, once for each address family that they need; only of `version`, if the peer is of
/// one.
fn ports_terms(ports: &RulePorts, version: Option<IpVersion>) -> Vec<Vec<Term>> {
    match ports {
        RulePorts::Any => vec![Vec::new()],
        RulePorts::Range { protocol, range } => {
            vec![vec![port_term(*protocol, range.first..=range.last)]]
        }
        RulePorts::Ranges { protocol, set } => {
            let protocol = IpProtocol(protocol.number());
            let set = port_set_name(*set);
            vec![vec![Term::MemberPort { protocol, set }]]
        }
        RulePorts::Named(id) => {
            let versions = VERSIONS.into_iter();
            let versions = versions.filter(|it| version.is_none_or(|wanted| wanted == *it));
            let term = |version| Term::MemberEndpoint {
                end: AddressField::Destination,
                version,
                set: set_name(*id, version),
            };
            versions.map(|version| vec![term(version)]).collect()
        }
    }
}

/// How many rules in the kernel a rule is that counts.
pub(super) fn match_count(
    ruleset: &Ruleset,
    rule: &ChainRule,
    direction: TrafficDirection,
) -> usize {
    all_matches(ruleset, rule, direction).len()
}

/// Whether a set may have members of a family: prefixes never change, pods come and go.
fn may_have(ruleset: &Ruleset, id: SetId, version: IpVersion) -> bool {
    ruleset.sets.get(&id).is_some_and(|set| match &set.content {
        SetContent::Networks(networks) => networks.iter().any(|it| version_of(it) == version),
        SetContent::Pods(_) | SetContent::NamedPorts(_) | SetContent::PortRanges(_) => true,
    })
}

fn version_of(prefix: &IpNet) -> IpVersion {
    IpVersion::of(prefix.addr())
}

fn member(end: AddressField, id: SetId, version: IpVersion) -> Term {
    Term::Member {
        end,
        version,
        set: set_name(id, version),
        is: true,
    }
}

fn port_term(protocol: L4Protocol, ports: RangeInclusive<u16>) -> Term {
    let protocol = IpProtocol(protocol.number());
    if ports == (0..=u16::MAX) {
        return Term::Protocol(protocol);
    }
    Term::Ports { protocol, ports }
}
