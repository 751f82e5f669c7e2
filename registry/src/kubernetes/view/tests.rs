use super::*;

use serde_json::json;

use crate::snapshot::Snapshot;

fn node(name: &str, created: u8, pod_cidrs: &[&str]) -> Node {
    serde_json::from_value(json!({
        "metadata": { "name": name, "uid": name, "creationTimestamp": format!("2026-01-{created:02}T00:00:00Z") },
        "spec": { "podCIDRs": pod_cidrs },
        "status": { "conditions": [{ "type": "Ready", "status": "True" }] }
    }))
    .unwrap()
}

fn view(nodes: Vec<Node>) -> View {
    let mut view = View::new(&[], false);
    view.reset(nodes);
    view
}

/// The owners, as `SUBNET NODE`.
fn owners(snapshot: &Snapshot) -> Vec<String> {
    let claims = snapshot.subnets.iter();
    claims
        .map(|(subnet, claim)| format!("{subnet} {}", claim.node))
        .collect()
}

fn set(view: &mut View, node: Node) -> Update {
    view.update(&node.name.unwrap(), Some(node.facts))
}

#[test]
fn pod_cidr_that_nodes_share_belongs_to_the_oldest() {
    for (nodes, expected) in [
        (
            vec![
                node("a", 2, &["10.244.1.0/24"]),
                node("b", 1, &["10.244.1.0/24"]),
            ],
            vec!["10.244.1.0/24 b"],
        ),
        (
            vec![
                node("a", 1, &["10.244.0.0/23"]),
                node("b", 2, &["10.244.1.0/24"]),
            ],
            vec!["10.244.0.0/23 a"],
        ),
        (
            vec![
                node("a", 2, &["10.244.0.0/23"]),
                node("b", 1, &["10.244.1.0/24"]),
            ],
            vec!["10.244.1.0/24 b"],
        ),
        (
            vec![
                node("a", 1, &["10.244.1.0/24"]),
                node("b", 1, &["10.244.1.0/24"]),
            ],
            vec!["10.244.1.0/24 a"],
        ),
        (
            vec![
                node("a", 1, &["10.244.0.0/24"]),
                node("b", 2, &["10.244.1.0/24"]),
            ],
            vec!["10.244.0.0/24 a", "10.244.1.0/24 b"],
        ),
    ] {
        let snapshot = view(nodes).snapshot(1, 1);
        assert_eq!(owners(&snapshot), expected);
        let shared = snapshot.nodes.len() - snapshot.subnets.len();
        assert_eq!(snapshot.rejected.len(), shared, "{:?}", snapshot.rejected);
        assert_eq!(snapshot.presence.len(), 2);
    }
}

#[test]
fn pod_cidr_outside_of_the_configured_ones_is_rejected_by_name() {
    let mut view = View::new(&["10.244.0.0/16".parse().unwrap()], true);
    view.reset(vec![
        node("a", 1, &["10.9.0.0/24"]),
        node("b", 1, &["10.244.3.0/24"]),
    ]);
    let snapshot = view.snapshot(1, 1);
    assert_eq!(owners(&snapshot), ["10.244.3.0/24 b"]);
    let why = &snapshot.rejected["nodes/a/podCIDRs"];
    assert_eq!(why, "pod CIDR 10.9.0.0/24 is not inside 10.244.0.0/16");
}

#[test]
fn node_beyond_the_network_makes_it_wider() {
    let mut view = view(vec![node("a", 1, &["10.244.0.0/24"])]);
    assert_eq!(
        set(&mut view, node("b", 2, &["10.244.1.0/24"])),
        Update::Reset
    );
    assert_eq!(view.network().to_string(), "10.244.0.0/23");
    view.reset(Vec::new());
    assert_eq!(view.network().to_string(), "10.244.0.0/23");
}

/// A Node of a cluster whose nodes are in 10.0.0.0/16.
fn node_at(name: &str, created: u8, address: &str, pod_cidr: &str) -> Node {
    let mut node = node(name, created, &[pod_cidr]);
    node.facts.record.addresses = vec![address.parse().unwrap()];
    node
}

#[test]
fn network_never_takes_in_the_addresses_of_the_nodes() {
    let old = [
        node_at("a", 1, "10.0.0.1", "10.244.0.0/24"),
        node_at("b", 2, "10.0.0.2", "10.244.1.0/24"),
    ];
    let mut view = view(old.into());
    // The cluster goes on with another --cluster-cidr.
    let update = set(&mut view, node_at("c", 3, "10.0.0.3", "10.1.0.0/24"));
    assert!(matches!(update, Update::Changes(_)), "{update:?}");
    assert_eq!(view.network().to_string(), "10.244.0.0/23");
    let why = view.problem(&"c".parse().unwrap()).unwrap();
    assert_eq!(why, "pod CIDR 10.1.0.0/24 is not inside 10.244.0.0/23");
    // One node that says it has an address among the pods keeps no other from joining.
    set(&mut view, node_at("liar", 4, "10.244.9.9", "10.244.2.0/24"));
    let update = set(&mut view, node_at("d", 5, "10.0.0.4", "10.244.8.0/24"));
    assert_eq!(update, Update::Reset);
    assert_eq!(view.network().to_string(), "10.244.0.0/20");
}

#[test]
fn network_is_that_of_the_oldest_nodes_whatever_their_names() {
    let view = view(vec![
        node("a", 2, &["172.16.0.0/24"]),
        node("b", 1, &["10.244.0.0/24"]),
        node("c", 3, &["10.244.1.0/24"]),
    ]);
    assert_eq!(view.network().to_string(), "10.244.0.0/23");
}

#[test]
fn pod_cidr_that_belongs_to_an_older_node_does_not_widen() {
    let mut view = view(vec![node("a", 1, &["10.244.0.0/24"])]);
    let update = set(&mut view, node("thief", 2, &["10.0.0.0/8"]));
    assert!(matches!(update, Update::Changes(_)), "{update:?}");
    assert_eq!(view.network().to_string(), "10.244.0.0/24");
    // It does once it is no longer that one's.
    assert_eq!(view.update(&"a".parse().unwrap(), None), Update::Reset);
    assert_eq!(view.network().to_string(), "10.0.0.0/8");
}

#[test]
fn heartbeat_changes_nothing() {
    let mut view = view(vec![node("a", 1, &["10.244.0.0/24"])]);
    assert_eq!(
        set(&mut view, node("a", 1, &["10.244.0.0/24"])),
        Update::Changes(Vec::new())
    );
}

/// Whatever happens in whatever order, the changes lead to what a new view of the same Nodes shows.
#[test]
fn changes_lead_to_the_same_as_a_reset() {
    let cidrs = [
        "10.244.0.0/24",
        "10.244.1.0/24",
        "10.244.0.0/23",
        "10.244.2.0/23",
        "10.244.3.0/24",
    ];
    let start: Vec<_> = [node("z", 9, &["10.244.0.0/22"])].into();
    let mut state = 7u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut view = view(start);
    view.update(&"z".parse().unwrap(), None);
    let mut snapshot = view.snapshot(1, 1);
    let mut nodes = BTreeMap::new();
    for _ in 0..2_000 {
        let name = ["a", "b", "c", "d"][random(4)];
        let update = if random(4) == 0 {
            nodes.remove(name);
            view.update(&name.parse().unwrap(), None)
        } else {
            let created = u8::try_from(1 + random(3)).unwrap();
            let cidr = cidrs[random(cidrs.len())];
            nodes.insert(name, (created, cidr));
            set(&mut view, node(name, created, &[cidr]))
        };
        let Update::Changes(changes) = update else {
            panic!("the network is wide enough");
        };
        snapshot.apply(1, changes);
        let all: Vec<_> = nodes
            .iter()
            .map(|(name, (created, cidr))| node(name, *created, &[*cidr]))
            .collect();
        let mut fresh = View::new(&["10.244.0.0/22".parse().unwrap()], false);
        fresh.reset(all);
        assert_eq!(snapshot, fresh.snapshot(1, 1), "{nodes:?}");
    }
}
