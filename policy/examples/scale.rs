//! Memory and times of a large cluster: 50,000 pods in 250 namespaces, 2,000 policies, and a node with
//! 110 pods. Run it with `cargo run --release -p flatland-policy --example scale`.

#![allow(clippy::print_stdout, reason = "the figures are its output")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use nix::time::ClockId;
use policy::api::{ClusterNetworkPolicy, L4Protocol, NamedPort, Namespace, NetworkPolicy, Pod};
use policy::cluster::LedgerPod;
use policy::compile::{Engine, PolicyEvent};
use policy::rules::PodName;
use serde_json::{from_value, json};

const PODS: u32 = 50_000;
const NAMESPACES: u32 = 250;
const POLICIES: u32 = 2_000;
const LOCAL_PODS: u32 = 110;
const EVENTS: u32 = 2_000;

fn main() {
    let mut engine = Engine::default();
    let before = resident_kib();
    let start = Instant::now();
    engine.apply_all((0..NAMESPACES).map(|it| namespace(it, it % 7)));
    engine.apply_all((0..PODS).map(|it| PolicyEvent::PodApplied(pod(it, it % 20, it))));
    engine.apply_all((0..POLICIES).map(|it| policy(it, 5432)));
    engine.apply_all((0..10).map(|it| cluster_policy(it, 22)));
    engine.apply_all((0..LOCAL_PODS).map(|it| PolicyEvent::LocalPodAdded(local(it))));
    let ruleset = engine.ruleset();
    let elements = ruleset
        .sets
        .values()
        .filter_map(|it| it.elements())
        .map(BTreeSet::len);
    println!(
        "start {:?}, memory {} MiB",
        start.elapsed(),
        (resident_kib() - before) / 1024
    );
    println!(
        "chains {}, rules {}, sets {}, elements {}, undecided {}",
        ruleset.chains.len(),
        ruleset
            .chains
            .values()
            .map(|it| it.rules.len())
            .sum::<usize>(),
        ruleset.sets.len(),
        elements.sum::<usize>(),
        engine.undecided().count(),
    );
    measure_all(&mut engine);
    println!("memory at the end {} MiB", (resident_kib() - before) / 1024);
}

fn measure_all(engine: &mut Engine) {
    let far = |it: u32| LOCAL_PODS + it * 17 % (PODS - LOCAL_PODS);
    measure(engine, "remote pod relabelled", |it| {
        vec![PolicyEvent::PodApplied(pod(far(it), it % 23, far(it)))]
    });
    measure(engine, "remote pod replaced", |it| {
        let pod = pod(far(it), it % 20, PODS + it);
        vec![
            PolicyEvent::PodDeleted(PodName::new(&pod.namespace, &pod.name)),
            PolicyEvent::PodApplied(pod),
        ]
    });
    measure(engine, "local pod relabelled", |it| {
        vec![PolicyEvent::PodApplied(pod(
            it % LOCAL_PODS,
            it % 23,
            it % LOCAL_PODS,
        ))]
    });
    measure(engine, "local pod removed, added", |it| {
        let local = local(it % LOCAL_PODS);
        vec![
            PolicyEvent::LocalPodRemoved(local.id.clone()),
            PolicyEvent::LocalPodAdded(local),
        ]
    });
    measure(engine, "policy changed", |it| {
        vec![policy(it % POLICIES, 5000 + it)]
    });
    measure(engine, "cluster policy changed", |it| {
        vec![cluster_policy(it % 10, 1 + it)]
    });
    measure(engine, "namespace relabelled", |it| {
        vec![namespace(it % NAMESPACES, it % 11)]
    });
}

/// Each of the events of one time is measured alone, in CPU time: the machine may have other work.
fn measure(engine: &mut Engine, what: &str, events: impl Fn(u32) -> Vec<PolicyEvent>) {
    let mut times = Vec::new();
    for event in (0..EVENTS).flat_map(events) {
        let start = cpu_time();
        std::hint::black_box(engine.apply(event));
        times.push(cpu_time().saturating_sub(start));
    }
    times.sort();
    let at = |percent: usize| -> Duration { times[(times.len() - 1) * percent / 100] };
    println!(
        "{what:<26} p50 {:>10.1?}  p99 {:>10.1?}  max {:>10.1?}",
        at(50),
        at(99),
        at(100)
    );
}

fn cpu_time() -> Duration {
    let now = ClockId::CLOCK_THREAD_CPUTIME_ID.now();
    now.expect("Linux has this clock").into()
}

fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    let number = line.and_then(|it| it.split_whitespace().next()?.parse().ok());
    number.unwrap_or_default()
}

fn addresses(number: u32) -> Vec<IpAddr> {
    let v4 = Ipv4Addr::from(0x0a00_0000 + number + 1);
    let v6 = Ipv6Addr::from((0xfd00_u128 << 112) + u128::from(number) + 1);
    vec![v4.into(), v6.into()]
}

/// The first pods are of this node, and of the first two namespaces.
fn namespace_of(number: u32) -> String {
    let index = if number < LOCAL_PODS {
        number % 2
    } else {
        number % NAMESPACES
    };
    format!("namespace-{index}")
}

/// Labels as a Deployment gives them: its pods share them.
fn pod(number: u32, app: u32, address: u32) -> Pod {
    let labels = [
        ("app.kubernetes.io/name", format!("app-{app}")),
        (
            "app.kubernetes.io/instance",
            format!("app-{app}-{}", number % NAMESPACES),
        ),
        ("app.kubernetes.io/part-of", format!("product-{}", app % 5)),
        ("app.kubernetes.io/managed-by", "helm".to_owned()),
        ("tier", format!("tier-{}", app % 3)),
        (
            "pod-template-hash",
            format!("{:08x}", app * 7919 + number % NAMESPACES),
        ),
    ];
    let labels: BTreeMap<_, _> = labels
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    Pod {
        namespace: namespace_of(number),
        name: format!("app-{number}-6d5f8c7b9d-x{number:05}"),
        uid: format!("00000000-0000-4000-8000-{number:012}"),
        labels,
        node_name: format!("node-{}", number / LOCAL_PODS),
        addresses: addresses(address),
        named_ports: vec![NamedPort {
            name: "http".to_owned(),
            protocol: L4Protocol::Tcp,
            port: 8080,
        }],
        ..Default::default()
    }
}

fn local(number: u32) -> LedgerPod {
    let pod = pod(number, 0, number);
    LedgerPod {
        id: format!("container-{number}"),
        name: PodName::new(&pod.namespace, &pod.name),
        uid: Some(pod.uid),
        addresses: pod.addresses,
    }
}

fn namespace(number: u32, team: u32) -> PolicyEvent {
    PolicyEvent::NamespaceApplied(Namespace {
        name: format!("namespace-{number}"),
        labels: [("team".to_owned(), format!("team-{team}"))].into(),
        ..Default::default()
    })
}

/// One in five of the first two namespaces, which is where this node's pods are.
fn policy(number: u32, port: u32) -> PolicyEvent {
    let namespace = if number.is_multiple_of(5) {
        number / 5 % 2
    } else {
        number % NAMESPACES
    };
    let app = format!("app-{}", number % 20);
    let policy: NetworkPolicy = from_value(json!({
        "metadata": {"namespace": format!("namespace-{namespace}"), "name": format!("policy-{number}")},
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": app}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [
                {"podSelector": {"matchLabels": {"tier": format!("tier-{}", number % 3)}}},
                {"namespaceSelector": {"matchLabels": {"team": format!("team-{}", number % 7)}},
                 "podSelector": {"matchLabels": {"app.kubernetes.io/part-of": format!("product-{}", number % 5)}}},
            ], "ports": [{"port": port % 65000 + 1}]}],
            "egress": [
                {"to": [{"namespaceSelector": {"matchLabels": {"team": format!("team-{}", number % 5)}}}], "ports": [{"port": "http"}]},
                {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]},
            ],
        },
    }))
    .expect("the JSON above is a policy");
    PolicyEvent::NetworkPolicyApplied(policy)
}

fn cluster_policy(number: u32, port: u32) -> PolicyEvent {
    let policy: ClusterNetworkPolicy = from_value(json!({
        "metadata": {"name": format!("cluster-{number}")},
        "spec": {
            "tier": if number.is_multiple_of(2) { "Admin" } else { "Baseline" },
            "priority": number,
            "subject": {"namespaces": {}},
            "ingress": [{"action": "Deny", "from": [{"namespaces": {"matchLabels": {"team": format!("team-{}", number % 7)}}}],
                         "protocols": [{"tcp": {"destinationPort": {"number": port % 65000 + 1}}}]}],
        },
    }))
    .expect("the JSON above is a policy");
    PolicyEvent::ClusterNetworkPolicyApplied(policy)
}
