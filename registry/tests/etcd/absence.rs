//! Absent nodes: the census, counted absences, and forgetting after an absence.

use std::time::Duration;

use registry::{Absent, Census, PresenceHandle, PresenceState, Registry};
use tokio::time::timeout;
use wire::node::NodeName;

use crate::support::etcd::Etcd;
use crate::support::{DEADLINE, MACHINE, conf, net, node, open, presence, record, until};

const V4: &str = "10.244.0.0/16";
const PAUSE: Duration = Duration::from_secs(2);

async fn present(registry: &Registry, node: &NodeName) -> PresenceHandle {
    let handle = registry.keep_presence(node, MACHINE, presence("1"));
    let mut state = handle.state();
    let present = state.wait_for(|state| *state == PresenceState::Present);
    timeout(DEADLINE, present).await.unwrap().unwrap();
    handle
}

/// Nodes `a` and `b`, with a subnet each. Only `a` is present.
async fn one_of_two(registry: &Registry) -> PresenceHandle {
    for name in ["a", "b"] {
        let node = node(name);
        registry
            .register(&node, &record(MACHINE, &[]))
            .await
            .unwrap();
        registry.claim(&node, MACHINE, &net(V4)).await.unwrap();
    }
    present(registry, &node("a")).await
}

async fn absent(registry: &Registry, name: &str) -> Option<Absent> {
    registry
        .census()
        .await
        .unwrap()
        .absent
        .get(&node(name))
        .copied()
}

#[tokio::test]
async fn census_lists_present_and_absent_nodes() {
    let etcd = Etcd::start();
    let registry = open(&conf(&[&etcd.endpoint()]));
    assert_eq!(registry.census().await.unwrap(), Census::default());
    assert_eq!(registry.first_present().await.unwrap(), None);

    let _a = one_of_two(&registry).await;
    etcd.put("/flatland/blue/nodes/UPPER_CASE", "{}").await;
    for stray in ["0", "c", "UPPER_CASE"] {
        let key = format!("/flatland/blue/presence/{stray}");
        etcd.put(&key, "{}").await;
    }
    let census = registry.census().await.unwrap();
    assert_eq!(census.present, 1, "unregistered names do not count");
    assert_eq!(census.absent.keys().collect::<Vec<_>>(), [&node("b")]);
    assert_eq!(registry.first_present().await.unwrap(), Some(node("a")));
}

#[tokio::test]
async fn count_lasts_until_the_node_is_present_or_registers() {
    let etcd = Etcd::start();
    let registry = open(&conf(&[&etcd.endpoint()]));
    let (_a, b) = (one_of_two(&registry).await, node("b"));
    let first = absent(&registry, "b").await.unwrap();
    assert_eq!((first.counted, first.seconds), (0, 0));
    let revision = registry.count_absence(&b, &first, 7).await.unwrap();
    let second = absent(&registry, "b").await.unwrap();
    assert_eq!((Some(second.counted), second.seconds), (revision, 7));
    // An outdated view writes nothing.
    assert_eq!(registry.count_absence(&b, &first, 8).await.unwrap(), None);
    assert_eq!(absent(&registry, "b").await, Some(second));

    let moved = record(MACHINE, &["192.168.1.2"]);
    registry.register(&b, &moved).await.unwrap();
    let third = absent(&registry, "b").await.unwrap();
    assert_eq!((third.seconds, third.counted), (0, second.counted));
    assert_eq!(registry.count_absence(&b, &second, 9).await.unwrap(), None);

    registry
        .count_absence(&b, &third, 1)
        .await
        .unwrap()
        .unwrap();
    let fourth = absent(&registry, "b").await.unwrap();
    present(&registry, &b).await.stop().await;
    let fifth = absent(&registry, "b").await.unwrap();
    assert_eq!((fifth.counted, fifth.seconds), (0, 0));
    let refused = registry.forget_absent(&b, &fourth, PAUSE).await.unwrap();
    assert_eq!(refused, None, "it was present in between");
}

#[tokio::test]
async fn node_that_came_back_is_not_forgotten() {
    let etcd = Etcd::start();
    let registry = open(&conf(&[&etcd.endpoint()]));
    let (_a, b) = (one_of_two(&registry).await, node("b"));
    let seen = absent(&registry, "b").await.unwrap();
    let _b = present(&registry, &b).await;
    let before = registry.snapshot().await.unwrap();

    assert_eq!(registry.count_absence(&b, &seen, 5).await.unwrap(), None);
    let refused = registry.forget_absent(&b, &seen, PAUSE).await.unwrap();
    assert_eq!(refused, None);
    assert_eq!(registry.snapshot().await.unwrap(), before);
}

#[tokio::test]
async fn absent_nodes_are_forgotten_one_at_a_time_and_completely() {
    let etcd = Etcd::start();
    let registry = open(&conf(&[&etcd.endpoint()]));
    let (_a, b, c) = (one_of_two(&registry).await, node("b"), node("c"));
    registry.register(&c, &record(MACHINE, &[])).await.unwrap();
    let seen = absent(&registry, "b").await.unwrap();
    registry.count_absence(&b, &seen, 5).await.unwrap().unwrap();
    let (seen, other) = (
        absent(&registry, "b").await.unwrap(),
        absent(&registry, "c").await.unwrap(),
    );

    let gone = registry
        .forget_absent(&b, &seen, PAUSE)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (gone.record, gone.subnets.len()),
        (Some(record(MACHINE, &[])), 1)
    );
    let keys = etcd.keys("/flatland/blue").await;
    assert!(!keys.iter().any(|key| key.ends_with("/b")), "{keys:?}");
    let again = registry.forget_absent(&c, &other, PAUSE).await.unwrap();
    assert_eq!(again, None, "not two at once");
    until("end of the pause", || async {
        registry.forget_absent(&c, &other, PAUSE).await.unwrap()
    })
    .await;

    // A new node of the same name starts from zero.
    registry.register(&b, &record(MACHINE, &[])).await.unwrap();
    let new = absent(&registry, "b").await.unwrap();
    assert_eq!((new.counted, new.seconds), (0, 0));
}

#[tokio::test]
async fn forget_by_an_operator_ends_the_count() {
    let etcd = Etcd::start();
    let registry = open(&conf(&[&etcd.endpoint()]));
    let (_a, b) = (one_of_two(&registry).await, node("b"));
    let seen = absent(&registry, "b").await.unwrap();
    registry.count_absence(&b, &seen, 5).await.unwrap().unwrap();
    registry.forget(&b, false).await.unwrap();
    assert!(etcd.keys("/flatland/blue:absent/").await.is_empty());
    let refused = registry.forget_absent(&b, &seen, PAUSE).await.unwrap();
    assert_eq!(refused, None);
}

#[tokio::test]
async fn node_with_many_claims_is_forgotten_for_its_absence() {
    let etcd = Etcd::start();
    let registry = open(&conf(&[&etcd.endpoint()]));
    let (_a, b) = (one_of_two(&registry).await, node("b"));
    for third in 0..=250 {
        let key = format!("/flatland/blue/subnets/10.244.{third}.0-24");
        etcd.put(&key, r#"{"node":"b"}"#).await;
    }
    let seen = absent(&registry, "b").await.unwrap();
    let gone = registry
        .forget_absent(&b, &seen, PAUSE)
        .await
        .unwrap()
        .unwrap();
    assert!(gone.subnets.len() >= 251, "{}", gone.subnets.len());
    let left = registry.snapshot().await.unwrap();
    assert!(left.subnets.values().all(|claim| claim.node != b));
    assert!(!left.nodes.contains_key(&b));
}
