//! A table with everything that the rules may need.

use std::collections::BTreeSet;

use ipnet::IpNet;
use policy::api::L4Protocol;
use policy::rules::{
    ChainEnd, ChainId, ChainRule, PeerSet, PodChain, PolicyName, PortRange, RuleAction, RuleChain,
    RulePeer, RulePorts, RuleSource, Ruleset, SetContent, SetId, TrafficDirection,
};
use wire::nft::{NftTable, TableFamily, TableId};

use super::{PodVerdicts, Pods, whole_table};

/// A table of another name, to try whether the kernel takes all kinds of rules and sets.
pub(crate) fn probe_table() -> NftTable {
    let set = |content| PeerSet {
        description: "probe".into(),
        content,
    };
    let network = "192.0.2.0/24".parse().expect("a constant prefix");
    let ports = [PortRange::new(1, 1), PortRange::new(9, u16::MAX)];
    let sets = [
        (SetId(1), set(SetContent::Pods(BTreeSet::new()))),
        (SetId(2), set(SetContent::NamedPorts(BTreeSet::new()))),
        (SetId(3), set(SetContent::Networks([network].into()))),
        (SetId(4), set(SetContent::PortRanges(ports.into()))),
    ];
    let ruleset = Ruleset {
        sets: sets.into(),
        chains: [(ChainId(1), probe_chain(network))].into(),
        ..Ruleset::default()
    };
    let verdicts = PodVerdicts {
        egress: PodChain::NotIsolated,
        ingress: PodChain::Chain(ChainId(1)),
    };
    // No interface has a name with a slash.
    let pods = Pods::from([("flat/probe".to_owned(), verdicts)]);
    NftTable {
        id: TableId::new(TableFamily::Inet, "flatland-policy-probe"),
        ..whole_table(&ruleset, &pods)
    }
}

/// A chain with a rule of each kind, of these sets and this prefix.
fn probe_chain(network: IpNet) -> RuleChain {
    let policy = PolicyName::Cluster("probe".into());
    let rule = |action, peer, ports| ChainRule {
        action,
        peer,
        ports,
        source: RuleSource {
            policy: policy.clone(),
            rule: None,
        },
    };
    let range = RulePorts::Range {
        protocol: L4Protocol::Sctp,
        range: PortRange::new(1, 2),
    };
    let ranges = RulePorts::Ranges {
        protocol: L4Protocol::Udp,
        set: SetId(4),
    };
    RuleChain {
        direction: TrafficDirection::Ingress,
        rules: [
            rule(RuleAction::Accept, RulePeer::Pods(SetId(1)), range),
            rule(RuleAction::Accept, RulePeer::Everything, ranges),
            rule(
                RuleAction::Deny,
                RulePeer::Everything,
                RulePorts::Named(SetId(2)),
            ),
            rule(
                RuleAction::Pass,
                RulePeer::Networks(SetId(3)),
                RulePorts::Any,
            ),
            rule(RuleAction::Pass, RulePeer::Network(network), RulePorts::Any),
        ]
        .into(),
        end: ChainEnd::Deny([policy.clone()].into()),
    }
}
