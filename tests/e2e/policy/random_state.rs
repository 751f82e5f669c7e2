//! Random states of a cluster, as objects of the API: labels, ports, policies of both kinds.

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// The namespaces of the pods.
pub(crate) const NAMESPACES: [&str; 3] = ["a", "b", "c"];

/// The ports on which each pod answers, by TCP and UDP.
pub(crate) const PORTS: [u16; 4] = [80, 81, 8080, 5353];

/// What may have any value while the pods stay where they are.
#[derive(Debug, Clone)]
pub(crate) struct RandomState {
    /// The labels of each namespace.
    pub(crate) namespaces: Vec<Value>,
    /// The labels and the named ports of each pod.
    pub(crate) pods: Vec<(Value, Vec<Value>)>,
    /// Policies, with their namespaces and names.
    pub(crate) policies: Vec<Value>,
    pub(crate) cluster_policies: Vec<Value>,
}

/// States with pods that have these addresses.
pub(crate) fn states(pods: &[Vec<IpAddr>]) -> impl Strategy<Value = RandomState> + use<> {
    let blocks = blocks(pods);
    let parts = (
        vec(labels(), NAMESPACES.len()),
        vec((labels(), vec(named_port(), 0..3)), pods.len()),
        vec(policy(&blocks), 1..6),
        vec(cluster_policy(), 1..4),
    );
    parts.prop_map(|(namespaces, pods, policies, cluster)| RandomState {
        namespaces,
        pods,
        policies: numbered(policies, "n"),
        cluster_policies: numbered(cluster, "c"),
    })
}

/// Gives each object a name of its own.
fn numbered(mut objects: Vec<Value>, prefix: &str) -> Vec<Value> {
    for (number, object) in objects.iter_mut().enumerate() {
        object["metadata"]["name"] = format!("{prefix}{number}").into();
    }
    objects
}

fn labels() -> impl Strategy<Value = Value> {
    let value = || option::of(select(vec!["x", "y"]));
    (value(), value()).prop_map(|(app, team)| {
        let all = [("app", app), ("team", team)].into_iter();
        let set = all.filter_map(|(key, value)| Some((key.to_owned(), json!(value?))));
        Value::Object(set.collect())
    })
}

fn named_port() -> impl Strategy<Value = Value> {
    let ports = [("web", "TCP", 80), ("sql", "TCP", 8080), ("web", "UDP", 81)];
    select(ports.to_vec()).prop_map(|(name, protocol, number)| {
        json!({ "name": name, "protocol": protocol, "containerPort": number })
    })
}

fn selector() -> impl Strategy<Value = Value> {
    let expression = (
        select(vec!["app", "team"]),
        select(vec!["In", "NotIn", "Exists", "DoesNotExist"]),
        select(vec!["x", "y"]),
    );
    let expression = expression.prop_map(|(key, operator, value)| {
        let values = if operator.ends_with("In") {
            vec![value]
        } else {
            vec![]
        };
        json!({ "key": key, "operator": operator, "values": values })
    });
    prop_oneof![
        2 => Just(json!({})),
        3 => labels().prop_map(|labels| json!({ "matchLabels": labels })),
        2 => expression.prop_map(|it| json!({ "matchExpressions": [it] })),
    ]
}

/// Blocks of addresses, of both families, with and without exceptions.
fn blocks(pods: &[Vec<IpAddr>]) -> Vec<Value> {
    let mut all = vec![
        json!({ "cidr": "0.0.0.0/0" }),
        json!({ "cidr": "::/0" }),
        json!({ "cidr": "10.244.1.0/24" }),
    ];
    for address in pods.iter().flatten() {
        let (own, wide) = match address {
            IpAddr::V4(_) => (format!("{address}/32"), "10.244.0.0/16"),
            IpAddr::V6(_) => (format!("{address}/128"), "fd00:10:244::/56"),
        };
        all.push(json!({ "cidr": wide, "except": [own] }));
        all.push(json!({ "cidr": own }));
    }
    all
}

fn peer(blocks: Vec<Value>) -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => selector().prop_map(|pods| json!({ "podSelector": pods })),
        2 => selector().prop_map(|namespaces| json!({ "namespaceSelector": namespaces })),
        2 => (selector(), selector()).prop_map(|(pods, namespaces)| {
            json!({ "podSelector": pods, "namespaceSelector": namespaces })
        }),
        2 => select(blocks).prop_map(|block| json!({ "ipBlock": block })),
    ]
}

fn port() -> impl Strategy<Value = Value> {
    let port = prop_oneof![
        1 => Just(json!({})),
        2 => select(PORTS.to_vec()).prop_map(|port| json!({ "port": port })),
        1 => Just(json!({ "port": 80, "endPort": 81 })),
        2 => select(vec!["web", "sql"]).prop_map(|name| json!({ "port": name })),
    ];
    (port, option::of(select(vec!["TCP", "UDP"]))).prop_map(|(mut port, protocol)| {
        if let Some(protocol) = protocol {
            port["protocol"] = protocol.into();
        }
        port
    })
}

fn policy(blocks: &[Value]) -> impl Strategy<Value = Value> + use<> {
    let rule = |peers: &'static str| {
        (vec(peer(blocks.to_vec()), 0..3), vec(port(), 0..3))
            .prop_map(move |(others, ports)| json!({ peers: others, "ports": ports }))
    };
    let types = select(vec![
        vec!["Ingress"],
        vec!["Egress"],
        vec!["Ingress", "Egress"],
    ]);
    let parts = (
        select(NAMESPACES.to_vec()),
        selector(),
        vec(rule("from"), 0..3),
        vec(rule("to"), 0..3),
        types,
    );
    parts.prop_map(|(namespace, pods, ingress, egress, types)| {
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": { "namespace": namespace },
            "spec": {
                "podSelector": pods, "ingress": ingress, "egress": egress, "policyTypes": types,
            },
        })
    })
}

fn cluster_policy() -> impl Strategy<Value = Value> {
    let pods = || {
        prop_oneof![
            selector().prop_map(|it| json!({ "namespaces": it })),
            (selector(), selector()).prop_map(|(namespaces, pods)| {
                json!({ "pods": { "namespaceSelector": namespaces, "podSelector": pods } })
            }),
        ]
    };
    let protocol = prop_oneof![
        select(PORTS.to_vec())
            .prop_map(|port| { json!({ "tcp": { "destinationPort": { "number": port } } }) }),
        Just(json!({ "udp": { "destinationPort": { "range": { "start": 80, "end": 81 } } } })),
        Just(json!({ "destinationNamedPort": "web" })),
    ];
    let rule = move |peers: &'static str| {
        let parts = (
            select(vec!["Accept", "Deny", "Pass"]),
            vec(pods(), 1..3),
            option::of(vec(protocol.clone(), 1..3)),
        );
        parts.prop_map(move |(action, others, protocols)| {
            let mut rule = json!({ "action": action, peers: others });
            if let Some(protocols) = protocols {
                rule["protocols"] = protocols.into();
            }
            rule
        })
    };
    let subject = prop_oneof![
        selector().prop_map(|it| json!({ "namespaces": it })),
        (selector(), selector()).prop_map(|(namespaces, pods)| {
            json!({ "pods": { "namespaceSelector": namespaces, "podSelector": pods } })
        }),
    ];
    let parts = (
        select(vec!["Admin", "Baseline"]),
        0..3,
        subject,
        vec(rule("from"), 0..3),
        vec(rule("to"), 0..3),
    );
    parts.prop_map(|(tier, priority, subject, ingress, egress)| {
        json!({
            "apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy",
            "metadata": {},
            "spec": {
                "tier": tier, "priority": priority, "subject": subject,
                "ingress": ingress, "egress": egress,
            },
        })
    })
}
