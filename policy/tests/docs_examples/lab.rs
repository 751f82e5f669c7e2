//! A node with all pods of a cluster, and what it says of connections.

use std::collections::BTreeMap;
use std::net::IpAddr;

use policy::api::{L4Protocol, Namespace, Pod};
use policy::cluster::LedgerPod;
use policy::compile::{Engine, PolicyEvent};
use policy::rules::{PodConnection, PodName};

/// Checks connections: one a line, as `FROM TO PROTOCOL PORT yes|no`.
pub(crate) fn check(namespaces: &str, pods: &str, policies: &[&str], connections: &str) {
    let mut engine = Engine::default();
    let mut addresses = BTreeMap::new();
    for words in lines(namespaces) {
        engine.apply(PolicyEvent::NamespaceApplied(Namespace {
            name: words[0].to_owned(),
            labels: labels(words[1]),
            ..Default::default()
        }));
    }
    for words in lines(pods) {
        let address: IpAddr = words[1].parse().unwrap();
        let name = pod_name(words[0]);
        addresses.insert(words[0].to_owned(), address);
        engine.apply(PolicyEvent::LocalPodAdded(LedgerPod {
            id: words[0].to_owned(),
            name: name.clone(),
            uid: None,
            addresses: vec![address],
        }));
        engine.apply(PolicyEvent::PodApplied(Pod {
            namespace: name.namespace.to_string(),
            name: name.name.to_string(),
            labels: labels(words[2]),
            addresses: vec![address],
            ..Default::default()
        }));
    }
    for policy in policies {
        let policy = serde_yaml_ng::from_str(policy).unwrap();
        engine.apply(PolicyEvent::NetworkPolicyApplied(policy));
    }
    assert_eq!(engine.problems(), []);
    for words in lines(connections) {
        check_connection(&engine, &addresses, &words);
    }
}

fn check_connection(engine: &Engine, addresses: &BTreeMap<String, IpAddr>, words: &[&str]) {
    let end = |word: &str| {
        addresses
            .get(word)
            .copied()
            .unwrap_or_else(|| word.parse().unwrap())
    };
    let connection = PodConnection {
        source: end(words[0]),
        destination: end(words[1]),
        protocol: L4Protocol::parse(&words[2].to_uppercase()).unwrap(),
        port: words[3].parse().unwrap(),
    };
    let is_allowed = words[4] == "yes";
    let ruleset = engine.ruleset();
    let verdict = ruleset.verdict(&connection);
    assert_eq!(
        verdict.is_allowed(),
        is_allowed,
        "{words:?}: {verdict:?}\n{ruleset}"
    );
    if words[0].contains('/') && words[1].contains('/') {
        let ends = [words[0], words[1]].map(pod_name);
        let PodConnection { protocol, port, .. } = connection;
        let found = engine.explain(&ends[0], &ends[1], protocol, port).unwrap();
        assert_eq!(found[0].is_allowed(), is_allowed, "{words:?}: {}", found[0]);
    }
}

fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = text
        .lines()
        .map(|it| it.split_whitespace().collect::<Vec<_>>());
    lines.filter(|it| !it.is_empty())
}

fn pod_name(text: &str) -> PodName {
    let (namespace, name) = text.split_once('/').unwrap();
    PodName::new(namespace, name)
}

fn labels(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split(',').map(|it| it.split_once('=').unwrap());
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}
