mod changes;

use policy::api::{NetworkPolicy, Pod};
use policy::cluster::LedgerPod;
use policy::compile::{Engine, PolicyEvent};
use policy::rules::PodName;

use super::*;

/// Reads an object of the API.
fn read<T: serde::de::DeserializeOwned>(yaml: &str) -> T {
    serde_yaml_ng::from_str(yaml).unwrap()
}

fn namespace(name: &str) -> PolicyEvent {
    PolicyEvent::NamespaceApplied(read(&format!("{{metadata: {{name: {name}}}}}")))
}

fn pod(name: &str, app: &str, address: &str) -> PolicyEvent {
    let pod: Pod = read(&format!(
        "{{metadata: {{namespace: shop, name: {name}, uid: u-{name}, labels: {{app: {app}}}}}, \
         spec: {{containers: [{{ports: [{{name: sql, containerPort: 5432}}]}}]}}, \
         status: {{phase: Running, podIPs: [{{ip: {address}}}, {{ip: \"fd00::{address}\"}}]}}}}"
    ));
    PolicyEvent::PodApplied(pod)
}

fn local(interface: &str, name: &str, address: &str) -> PolicyEvent {
    PolicyEvent::LocalPodAdded(LedgerPod {
        id: interface.to_owned(),
        name: PodName::new("shop", name),
        uid: Some(format!("u-{name}")),
        addresses: vec![
            address.parse().unwrap(),
            format!("fd00::{address}").parse().unwrap(),
        ],
    })
}

fn policy(name: &str, spec: &str) -> PolicyEvent {
    let policy: NetworkPolicy = read(&format!(
        "{{metadata: {{namespace: shop, name: {name}}}, spec: {spec}}}"
    ));
    PolicyEvent::NetworkPolicyApplied(policy)
}

/// The verdicts of the node's pods, as the daemon takes them from the rules.
fn pods(engine: &Engine) -> Pods {
    let local = engine.cluster().local().iter();
    let verdicts = local.map(|pod| {
        let rules = engine.ruleset().local.get(&pod.addresses[0]).unwrap();
        let (egress, ingress) = (rules.egress, rules.ingress);
        (pod.id.clone(), PodVerdicts { egress, ingress })
    });
    verdicts.collect()
}

const ALLOW_WEB: &str = "{podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: \
                         {matchLabels: {app: web}}}], ports: [{port: 5432}]}]}";

#[test]
fn table_of_an_isolated_pod_reads_as_nft_lists_it() {
    let mut engine = Engine::default();
    engine.apply_all([
        namespace("shop"),
        pod("db", "db", "10.0.0.1"),
        pod("web", "web", "10.0.0.2"),
        local("flatdb", "db", "10.0.0.1"),
        policy("allow-web", ALLOW_WEB),
    ]);
    let expected = r#"	chain c0 {
		tcp flags != syn / fin,syn,rst,ack counter drop comment "no connection"
		ip saddr @s0-4 tcp dport 5432 counter return comment "np shop/allow-web"
		ip6 saddr @s0-6 tcp dport 5432 counter return comment "np shop/allow-web"
		limit rate 5/second burst 10 packets log prefix "end 0" group 70 snaplen 128
		counter drop comment "isolated by shop/allow-web"
	}
"#;
    let text = whole_table(engine.ruleset(), &pods(&engine)).to_string();
    assert!(text.contains(expected), "{text}");
    // What it sends is not judged, but has to begin with a connection's first packet.
    for line in [
        r#"elements = { "flatdb" : goto started }"#,
        r#"elements = { "flatdb" : goto c0 }"#,
        r#"elements = { "flatdb" . "flatdb" }"#,
        "elements = { 10.0.0.2 }",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn every_rule_that_counts_has_a_policy() {
    let mut engine = Engine::default();
    engine.apply_all([
        namespace("shop"),
        pod("db", "db", "10.0.0.1"),
        local("flatdb", "db", "10.0.0.1"),
        policy("allow-web", ALLOW_WEB),
    ]);
    let table = whole_table(engine.ruleset(), &pods(&engine));
    for chain in counted_chains(engine.ruleset()) {
        let kernel = table.chains.iter().find(|it| it.name == chain).unwrap();
        let counters = kernel.rules.iter();
        let counters = counters.filter(|rule| rule.terms.contains(&wire::nft::Term::Counter));
        let counted = counted_rules(engine.ruleset(), &chain);
        assert_eq!(counters.count(), counted.len(), "{chain}");
    }
}

#[test]
fn prefixes_of_logged_packets_name_the_rule_that_dropped() {
    for site in [
        DropSite::Undecided(TrafficDirection::Egress),
        DropSite::Rule(ChainId(7), 3),
        DropSite::End(ChainId(0)),
    ] {
        let rules = rules::dropping(&[], site, "x");
        let wire::nft::Term::Log { prefix, .. } = &rules[0].terms[1] else {
            panic!("{rules:?}");
        };
        assert_eq!(DropSite::parse(prefix), Some(site));
    }
    for other in ["", "rule 1", "end x", "rule 1 2 3", "undecided sideways"] {
        assert_eq!(DropSite::parse(other), None, "{other}");
    }
}
