use std::collections::BTreeSet;

use super::*;
use crate::api::L4Protocol;

fn source(rule: Option<&str>) -> RuleSource {
    let policy = match rule {
        None => PolicyName::Namespaced {
            namespace: "shop".into(),
            name: "allow-web".into(),
        },
        Some(_) => PolicyName::Cluster("tenants".into()),
    };
    RuleSource {
        policy,
        rule: rule.map(Into::into),
    }
}

/// One pod, 10.0.0.1, whose ingress passes a chain of the cluster and one of its namespace.
fn ruleset() -> Ruleset {
    let address = SetElement::Address([10, 0, 0, 2].into());
    let pods = PeerSet {
        description: "pods app=web in namespaces team=a".into(),
        content: SetContent::Pods(BTreeSet::from([address])),
    };
    let rule = |action, peer, ports, rule| ChainRule {
        action,
        peer,
        ports,
        source: source(rule),
    };
    let tcp = |first, last| RulePorts::Range {
        protocol: L4Protocol::Tcp,
        range: PortRange::new(first, last),
    };
    let network = "10.0.0.0/30".parse().unwrap();
    let rest = RuleChain {
        direction: TrafficDirection::Ingress,
        rules: [rule(
            RuleAction::Accept,
            RulePeer::Pods(SetId(0)),
            tcp(5432, 5432),
            None,
        )]
        .into(),
        end: ChainEnd::Deny([source(None).policy].into()),
    };
    let admin = RuleChain {
        direction: TrafficDirection::Ingress,
        rules: [
            rule(
                RuleAction::Deny,
                RulePeer::Everything,
                tcp(22, 23),
                Some("no-ssh"),
            ),
            rule(
                RuleAction::Pass,
                RulePeer::Network(network),
                RulePorts::Any,
                Some("2"),
            ),
            rule(
                RuleAction::Accept,
                RulePeer::Everything,
                tcp(0, u16::MAX),
                Some("3"),
            ),
        ]
        .into(),
        end: ChainEnd::Continue(ChainId(0)),
    };
    let local = LocalAddress {
        pod: PodName::new("shop", "db-0"),
        egress: PodChain::NotIsolated,
        ingress: PodChain::Chain(ChainId(1)),
    };
    Ruleset {
        sets: [(SetId(0), pods)].into(),
        chains: [(ChainId(0), rest), (ChainId(1), admin)].into(),
        local: [(IpAddr::from([10, 0, 0, 1]), local)].into(),
    }
}

#[test]
fn ruleset_prints_as_a_person_would_write_it() {
    let expected = "\
pod shop/db-0 10.0.0.1: egress not isolated, ingress chain 1

chain 0 (ingress)
  accept tcp 5432 from pods app=web in namespaces team=a           # shop/allow-web
  deny everything else                                             # isolated by shop/allow-web

chain 1 (ingress)
  deny tcp 22-23 from everything                                   # cnp tenants rule no-ssh
  pass from 10.0.0.0/30                                            # cnp tenants rule 2
  accept tcp from everything                                       # cnp tenants rule 3
  then chain 0

set 0: pods app=web in namespaces team=a, elements: 1
";
    assert_eq!(ruleset().to_string(), expected);
}

#[test]
fn comments_name_the_policy_and_its_rule() {
    assert_eq!(source(None).comment(), "np shop/allow-web");
    assert_eq!(source(Some("no-ssh")).comment(), "cnp tenants rule no-ssh");
}

#[test]
fn verdict_walks_the_chains_as_the_kernel_does() {
    let by = |rule| VerdictReason::Rule(source(rule));
    let isolated = VerdictReason::Isolated([source(None).policy].into());
    let cases = [
        (
            [10, 0, 0, 2],
            L4Protocol::Tcp,
            22,
            false,
            by(Some("no-ssh")),
        ),
        ([10, 0, 0, 2], L4Protocol::Tcp, 5432, true, by(None)),
        (
            [10, 0, 0, 2],
            L4Protocol::Udp,
            5432,
            false,
            isolated.clone(),
        ),
        (
            [10, 0, 0, 3],
            L4Protocol::Tcp,
            5432,
            false,
            isolated.clone(),
        ),
        ([10, 0, 0, 9], L4Protocol::Tcp, 80, true, by(Some("3"))),
        ([10, 0, 0, 9], L4Protocol::Other(1), 0, false, isolated),
        (
            [10, 0, 0, 1],
            L4Protocol::Tcp,
            22,
            true,
            VerdictReason::Itself,
        ),
    ];
    let ruleset = ruleset();
    for (source, protocol, port, is_allowed, reason) in cases {
        let connection = PodConnection {
            source: source.into(),
            destination: [10, 0, 0, 1].into(),
            protocol,
            port,
        };
        let found = ruleset.verdict(&connection);
        assert_eq!(
            found.ingress,
            Some(DirectionVerdict { is_allowed, reason }),
            "{connection:?}"
        );
        assert_eq!(found.is_allowed(), is_allowed);
    }
}

#[test]
fn verdict_for_remote_pods_is_none() {
    let connection = PodConnection {
        source: [10, 0, 0, 8].into(),
        destination: [10, 0, 0, 9].into(),
        protocol: L4Protocol::Tcp,
        port: 80,
    };
    let found = ruleset().verdict(&connection);
    assert_eq!((found.egress, found.ingress), (None, None));
}
