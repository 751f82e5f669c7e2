use super::*;
use crate::api::{ClusterNetworkPolicy, NetworkPolicy};

fn namespaced(spec: &str) -> CompiledPolicy {
    let yaml = format!("{{metadata: {{namespace: shop, name: p}}, spec: {spec}}}");
    let policy: NetworkPolicy = serde_yaml_ng::from_str(&yaml).unwrap();
    CompiledPolicy::of_network_policy(&policy)
}

/// A policy with one rule for egress.
fn cluster(rule: &str) -> CompiledPolicy {
    let yaml = format!(
        "{{metadata: {{name: c}}, spec: {{tier: Admin, priority: 1, subject: {{namespaces: {{}}}}, egress: [{rule}]}}}}"
    );
    let policy: ClusterNetworkPolicy = serde_yaml_ng::from_str(&yaml).unwrap();
    CompiledPolicy::of_cluster_policy(&policy)
}

#[test]
fn policy_types_that_are_missing_follow_the_rules() {
    let cases = [
        ("{podSelector: {}}", true, false),
        ("{podSelector: {}, egress: [{}]}", true, true),
        ("{podSelector: {}, policyTypes: [Egress]}", false, true),
        (
            "{podSelector: {}, policyTypes: [Ingress], egress: [{}]}",
            true,
            false,
        ),
        (
            "{podSelector: {}, policyTypes: [Ingress, Egress]}",
            true,
            true,
        ),
    ];
    for (spec, ingress, egress) in cases {
        let policy = namespaced(spec);
        let found = (policy.isolates_ingress, policy.isolates_egress);
        assert_eq!(found, (ingress, egress), "{spec}");
        assert!(egress || policy.egress.is_empty(), "{spec}");
    }
}

#[test]
fn flaw_of_a_network_policy_allows_nothing() {
    let cases = [
        ("from: [{}]", "a peer has no known field"),
        (
            "from: [{ipBlock: {cidr: 10.0.0.0/40}}]",
            "\"10.0.0.0/40\" is no CIDR",
        ),
        (
            "from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/8]}}]",
            "except 11.0.0.0/8 is not inside the CIDR",
        ),
        (
            "from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]",
            "a peer has ipBlock and a selector",
        ),
        (
            "from: [{podSelector: {matchExpressions: [{key: a, operator: Near}]}}]",
            "selector: a: unknown operator \"Near\"",
        ),
        ("ports: [{protocol: DCCP}]", "unknown protocol \"DCCP\""),
        ("ports: [{port: 0}]", "port 0 is not from 1 to 65535"),
        (
            "ports: [{port: 9, endPort: 8}]",
            "the ports 9 to 8 are none",
        ),
        (
            "ports: [{port: web, endPort: 8}]",
            "endPort needs a port that is a number",
        ),
    ];
    for (rule, problem) in cases {
        let policy = namespaced(&format!("{{podSelector: {{}}, ingress: [{{{rule}}}]}}"));
        assert_eq!(policy.problems, [problem], "{rule}");
        let rule = &policy.ingress[0];
        let allows_nothing =
            rule.peers.is_empty() || rule.ports.as_ref().is_some_and(Vec::is_empty);
        assert!(allows_nothing, "{rule:?}");
    }
}

#[test]
fn subject_that_cannot_be_read_selects_nothing() {
    let policy = namespaced("{podSelector: {matchExpressions: [{key: a, operator: Near}]}}");
    assert_eq!(policy.subject, None);
    assert_eq!(policy.problems.len(), 1);
}

#[test]
fn flaw_of_a_cluster_rule_fails_closed() {
    let everything = vec![CompiledPeer::Everything];
    let parts = [
        "to: [{pods: {namespaceSelector: {}, podSelector: {}}}, {later: {}}]",
        "to: [{networks: [nonsense]}]",
        "to: [{networks: [10.0.0.0/8]}], protocols: [{quic: {}}]",
        "to: [{networks: [10.0.0.0/8]}], protocols: [{tcp: {}}]",
        "to: []",
    ];
    for part in parts {
        let closed = [
            ("Accept", RuleAction::Accept, Vec::new()),
            ("Deny", RuleAction::Deny, everything.clone()),
            ("Pass", RuleAction::Deny, everything.clone()),
        ];
        for (word, action, peers) in closed {
            let policy = cluster(&format!("{{action: {word}, {part}}}"));
            let rule = &policy.egress[0];
            assert_eq!(
                (rule.action, &rule.peers, &rule.ports),
                (action, &peers, &None),
                "{part}"
            );
            assert_eq!(policy.problems.len(), 1, "{part}");
            assert!(
                policy.problems[0].starts_with("egress rule 1: "),
                "{:?}",
                policy.problems
            );
        }
    }
}

#[test]
fn accept_with_domain_names_keeps_its_other_peers() {
    let peers = "to: [{domainNames: [example.org]}, {nodes: {}}, {networks: [10.0.0.0/8]}]";
    let policy = cluster(&format!("{{name: out, action: Accept, {peers}}}"));
    assert_eq!(policy.egress[0].peers.len(), 1);
    let expected = [
        "egress rule out: peers by domainNames are not supported",
        "egress rule out: peers by nodes are not supported",
    ];
    assert_eq!(policy.problems, expected);
    let policy = cluster(&format!("{{action: Pass, {peers}}}"));
    assert_eq!(policy.egress[0].action, RuleAction::Deny);
}

#[test]
fn networks_with_exceptions_are_the_prefixes_between() {
    let cases: [(&[&str], &[&str], &[&str]); 5] = [
        (&["10.0.0.0/8"], &[], &["10.0.0.0/8"]),
        (
            &["10.0.0.0/30"],
            &["10.0.0.0/32"],
            &["10.0.0.1/32", "10.0.0.2/31"],
        ),
        (&["10.0.0.0/30"], &["10.0.0.0/31", "10.0.0.2/31"], &[]),
        (&["10.0.0.9/30", "10.0.0.12/30"], &[], &["10.0.0.8/29"]),
        (
            &["fd00::/126"],
            &["fd00::2/127", "fd00::1/128"],
            &["fd00::/128"],
        ),
    ];
    for (include, except, expected) in cases {
        let [include, except] = [include, except]
            .map(|texts| texts.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
        let networks = [NetworkSet::parse(&include, &except).unwrap()];
        let found: Vec<_> = NetworkSet::union(&networks)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(found, expected, "{}", networks[0]);
    }
}
