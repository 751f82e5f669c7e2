//! Watching a real etcd across every kind of interruption.

use std::time::Duration;

use registry::{Claim, RegistryChange, RegistryEvent, Snapshot};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, timeout};

use crate::support::etcd::Etcd;
use crate::support::proxy::Proxy;
use crate::support::{MACHINE, agree, changes, conf, event, net, node, open, record, reset};

pub(crate) const SUBNET: &str = "/flatland/blue/subnets/10.244.1.0-24";
pub(crate) const OTHER_SUBNET: &str = "/flatland/blue/subnets/10.244.2.0-24";

pub(crate) fn claimed(subnet: &str, by: &str) -> RegistryChange {
    RegistryChange::Subnet(net(subnet), Some(Claim { node: node(by) }))
}

/// An etcd with an agreed network.
pub(crate) async fn etcd() -> Etcd {
    let etcd = Etcd::start();
    agree(&open(&conf(&[&etcd.endpoint()]))).await.unwrap();
    etcd
}

pub(crate) async fn disconnected(events: &mut Receiver<RegistryEvent>) -> String {
    match event(events).await {
        RegistryEvent::Disconnected { why } => why,
        other => panic!("expected to be disconnected, got {other:?}"),
    }
}

pub(crate) async fn connected(events: &mut Receiver<RegistryEvent>) {
    assert_eq!(event(events).await, RegistryEvent::Connected);
}

/// Reads events until `node` has claimed the subnet.
pub(crate) async fn follow_until(
    snapshot: &mut Snapshot,
    events: &mut Receiver<RegistryEvent>,
    subnet: &str,
    by: &str,
) {
    while snapshot
        .subnets
        .get(&net(subnet))
        .is_none_or(|claim| claim.node != node(by))
    {
        match event(events).await {
            RegistryEvent::Reset(fresh) => *snapshot = fresh,
            RegistryEvent::Changes { revision, changes } => snapshot.apply(revision, changes),
            RegistryEvent::Connected | RegistryEvent::Disconnected { .. } => {}
        }
    }
}

#[tokio::test]
async fn changes_come_one_revision_at_a_time() {
    let etcd = etcd().await;
    let registry = open(&conf(&[&etcd.endpoint()]));
    let mut events = registry.watch();
    let before = reset(&mut events).await;
    assert_eq!(before.network.as_ref(), Some(registry.network()));

    registry
        .register(&node("a"), &record(MACHINE, &["192.168.1.20"]))
        .await
        .unwrap();
    let (revision, first) = changes(&mut events).await;
    assert_eq!(revision, before.revision + 1);
    assert_eq!(
        first,
        [RegistryChange::Node(
            node("a"),
            Some(record(MACHINE, &["192.168.1.20"]))
        )]
    );

    // Claiming writes the record of an unregistered node in the same revision.
    let subnet = registry
        .claim(&node("b"), MACHINE, &net("10.244.0.0/16"))
        .await
        .unwrap();
    let (_, mut both) = changes(&mut events).await;
    both.sort_by_key(|change| matches!(change, RegistryChange::Subnet(..)));
    assert_eq!(
        both,
        [
            RegistryChange::Node(node("b"), Some(record(MACHINE, &[]))),
            claimed(&subnet.to_string(), "b"),
        ]
    );

    registry
        .release(&node("b"), MACHINE, &subnet)
        .await
        .unwrap();
    assert_eq!(
        changes(&mut events).await.1,
        [RegistryChange::Subnet(subnet, None)]
    );
}

#[tokio::test]
async fn damaged_records_are_rejected_until_they_are_repaired() {
    let etcd = etcd().await;
    let mut events = open(&conf(&[&etcd.endpoint()])).watch();
    let mut snapshot = reset(&mut events).await;
    let steps: [(&str, Option<&str>, usize, usize); 6] = [
        (SUBNET, Some("garbage"), 0, 1),
        (SUBNET, Some(r#"{"node":"a"}"#), 1, 0),
        (SUBNET, Some("garbage again"), 0, 1),
        (SUBNET, None, 0, 0),
        (
            "/flatland/blue/subnets/10.9.9.0-24",
            Some(r#"{"node":"a"}"#),
            0,
            1,
        ),
        ("/flatland/blue/subnets/10.9.9.0-24", None, 0, 0),
    ];
    for (key, value, subnets, rejected) in steps {
        match value {
            Some(value) => drop(etcd.put(key, value).await),
            None => etcd.delete(key).await,
        }
        let (revision, changes) = changes(&mut events).await;
        snapshot.apply(revision, changes);
        let found = (snapshot.subnets.len(), snapshot.rejected.len());
        assert_eq!(found, (subnets, rejected), "{key} {value:?}");
    }
}

#[tokio::test]
async fn restart_of_etcd_is_one_outage_without_missed_changes() {
    let mut etcd = etcd().await;
    let mut events = open(&conf(&[&etcd.endpoint()])).watch();
    reset(&mut events).await;
    etcd.put(SUBNET, r#"{"node":"a"}"#).await;
    changes(&mut events).await;

    etcd.stop();
    let why = disconnected(&mut events).await;
    assert!(why.contains(&etcd.endpoint()), "{why}");
    let silent = timeout(Duration::from_secs(1), events.recv()).await;
    assert!(
        silent.is_err(),
        "an outage is reported once, then came {silent:?}"
    );
    etcd.start_again();
    connected(&mut events).await;

    etcd.put(SUBNET, r#"{"node":"b"}"#).await;
    assert_eq!(
        changes(&mut events).await.1,
        [claimed("10.244.1.0/24", "b")]
    );
}

#[tokio::test]
async fn changes_during_a_cut_connection_come_afterwards() {
    let etcd = etcd().await;
    let proxy = Proxy::to(etcd.address()).await;
    let mut events = open(&conf(&[&proxy.endpoint()])).watch();
    reset(&mut events).await;
    etcd.put(SUBNET, r#"{"node":"a"}"#).await;
    changes(&mut events).await;

    proxy.stall();
    proxy.cut();
    disconnected(&mut events).await;
    etcd.put(OTHER_SUBNET, r#"{"node":"b"}"#).await;
    etcd.delete(SUBNET).await;
    proxy.resume();
    connected(&mut events).await;
    assert_eq!(
        changes(&mut events).await.1,
        [claimed("10.244.2.0/24", "b")]
    );
    assert_eq!(
        changes(&mut events).await.1,
        [RegistryChange::Subnet(net("10.244.1.0/24"), None)]
    );
}

#[tokio::test]
async fn silent_connection_is_noticed() {
    let etcd = etcd().await;
    let proxy = Proxy::to(etcd.address()).await;
    let mut events = open(&conf(&[&proxy.endpoint()])).watch();
    reset(&mut events).await;
    proxy.stall();
    let began = Instant::now();
    disconnected(&mut events).await;
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "after {:?}",
        began.elapsed()
    );
    proxy.resume();
    connected(&mut events).await;
    etcd.put(SUBNET, r#"{"node":"a"}"#).await;
    assert_eq!(
        changes(&mut events).await.1,
        [claimed("10.244.1.0/24", "a")]
    );
}

#[tokio::test]
async fn watch_may_start_before_etcd() {
    let mut etcd = etcd().await;
    etcd.stop();
    let mut events = open(&conf(&[&etcd.endpoint()])).watch();
    let why = disconnected(&mut events).await;
    assert!(why.contains("refused"), "{why}");
    etcd.start_again();
    connected(&mut events).await;
    assert!(reset(&mut events).await.network.is_some());
}

#[tokio::test]
async fn dropping_the_receiver_ends_the_watch() {
    let etcd = etcd().await;
    let registry = open(&conf(&[&etcd.endpoint()]));
    let mut events = registry.watch();
    reset(&mut events).await;
    drop(events);
    // Neither the task nor its connection keeps the runtime busy: a second watch starts afresh.
    let mut events = registry.watch();
    reset(&mut events).await;
    etcd.put(SUBNET, r#"{"node":"a"}"#).await;
    assert_eq!(
        changes(&mut events).await.1,
        [claimed("10.244.1.0/24", "a")]
    );
}
