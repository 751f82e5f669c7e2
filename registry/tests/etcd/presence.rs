//! Presence on leases of a real etcd.

use std::path::Path;
use std::time::Duration;

use registry::{Policy, PresenceHandle, PresenceState, Registry, RegistryChange};
use tokio::time::{Instant, interval, timeout};

use crate::support::etcd::Etcd;
use crate::support::proxy::{Proxy, ProxyFault};
use crate::support::{
    DEADLINE, MACHINE, OTHER_MACHINE, changes, conf, fast_policy, node, open, presence, record,
    reset, until,
};

const KEY: &str = "/flatland/blue/presence/a";

async fn registered(endpoint: &str) -> Registry {
    let registry = open(&conf(&[endpoint]));
    registry
        .register(&node("a"), &record(MACHINE, &["192.168.1.20"]))
        .await
        .unwrap();
    registry
}

async fn until_state(handle: &PresenceHandle, expected: impl FnMut(&PresenceState) -> bool) {
    let mut state = handle.state();
    let reached = timeout(DEADLINE, state.wait_for(expected)).await;
    reached
        .expect("the state is reached in time")
        .expect("the presence is kept");
}

async fn until_present(handle: &PresenceHandle) {
    until_state(handle, |state| *state == PresenceState::Present).await;
}

#[tokio::test]
async fn presence_outlives_its_lease_and_ends_when_stopped() {
    let etcd = Etcd::start();
    let registry = registered(&etcd.endpoint()).await;
    let mut events = registry.watch();
    reset(&mut events).await;
    let handle = registry.keep_presence(&node("a"), MACHINE, presence("1"));
    until_present(&handle).await;
    assert_eq!(
        changes(&mut events).await.1,
        [RegistryChange::Presence(node("a"), Some(presence("1")))]
    );
    let gone = timeout(Duration::from_secs(3), events.recv()).await;
    assert!(gone.is_err(), "kept for three leases, but {gone:?}");
    handle.stop().await;
    assert_eq!(
        changes(&mut events).await.1,
        [RegistryChange::Presence(node("a"), None)]
    );
}

#[tokio::test]
async fn dropped_presence_ends() {
    let etcd = Etcd::start();
    let registry = registered(&etcd.endpoint()).await;
    let handle = registry.keep_presence(&node("a"), MACHINE, presence("1"));
    until_present(&handle).await;
    drop(handle);
    until("the key to go", || async {
        etcd.get(KEY).await.is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn expired_presence_comes_back() {
    let etcd = Etcd::start();
    let proxy = Proxy::to(etcd.address()).await;
    let registry = registered(&proxy.endpoint()).await;
    let handle = registry.keep_presence(&node("a"), MACHINE, presence("1"));
    until_present(&handle).await;
    proxy.stall();
    until_state(&handle, |state| matches!(state, PresenceState::Lost { .. })).await;
    until("the key to go", || async {
        etcd.get(KEY).await.is_none().then_some(())
    })
    .await;
    proxy.resume();
    until_present(&handle).await;
    assert!(etcd.get(KEY).await.is_some());
}

#[tokio::test]
async fn deleted_presence_key_comes_back_at_once() {
    let etcd = Etcd::start();
    let slow = Policy {
        // A third of it, after which the lease is renewed, is longer than the test waits.
        lease_ttl: 4 * DEADLINE,
        ..fast_policy()
    };
    let conf = conf(&[&etcd.endpoint()]);
    let registry = Registry::open_with(&conf, Path::new("/nowhere"), slow);
    registry
        .register(&node("a"), &record(MACHINE, &[]))
        .await
        .unwrap();
    let handle = registry.keep_presence(&node("a"), MACHINE, presence("1"));
    until_present(&handle).await;
    etcd.delete(KEY).await;
    until("the key", || async { etcd.get(KEY).await }).await;
}

#[tokio::test]
async fn presence_survives_a_restart_of_etcd() {
    let mut etcd = Etcd::start();
    let registry = registered(&etcd.endpoint()).await;
    let handle = registry.keep_presence(&node("a"), MACHINE, presence("1"));
    until_present(&handle).await;
    etcd.stop();
    until_state(&handle, |state| matches!(state, PresenceState::Lost { .. })).await;
    etcd.start_again();
    until_present(&handle).await;
    until("the key", || async { etcd.get(KEY).await }).await;
}

#[tokio::test]
async fn old_session_does_not_delete_the_key_of_a_new_one() {
    let etcd = Etcd::start();
    let registry = registered(&etcd.endpoint()).await;
    let old = registry.keep_presence(&node("a"), MACHINE, presence("1"));
    until_present(&old).await;
    let new = registry.keep_presence(&node("a"), MACHINE, presence("2"));
    until_present(&new).await;
    old.stop().await;
    assert!(
        etcd.get(KEY)
            .await
            .is_some_and(|value| value.contains(r#""session":"2""#))
    );
}

#[tokio::test]
async fn machine_without_the_name_is_not_present() {
    let etcd = Etcd::start();
    let registry = registered(&etcd.endpoint()).await;
    let other = registry.keep_presence(&node("a"), OTHER_MACHINE, presence("1"));
    until_state(&other, |state| match state {
        PresenceState::Refused { why } => why.contains(MACHINE) && why.contains(OTHER_MACHINE),
        _ => false,
    })
    .await;
    assert_eq!(etcd.get(KEY).await, None);
    let unknown = registry.keep_presence(&node("b"), MACHINE, presence("1"));
    until_state(
        &unknown,
        |state| matches!(state, PresenceState::Lost { why } if why.contains("not registered")),
    )
    .await;
}

#[tokio::test]
async fn lost_name_is_noticed_before_the_key_is_written() {
    let etcd = Etcd::start();
    let proxy = Proxy::to(etcd.address()).await;
    let registry = registered(&proxy.endpoint()).await;
    proxy.arm("\"session\"", ProxyFault::Stall);
    let handle = registry.keep_presence(&node("a"), MACHINE, presence("1"));
    proxy.fault().await;
    let taken = format!(r#"{{"machineId":"{OTHER_MACHINE}"}}"#);
    etcd.put("/flatland/blue/nodes/a", &taken).await;
    proxy.resume();
    until_state(&handle, |state| {
        matches!(state, PresenceState::Refused { .. })
    })
    .await;
    assert_eq!(etcd.get(KEY).await, None);
}

/// Another program, or a clone of an older version, writes the key all the time.
#[tokio::test]
async fn presence_that_another_writer_overwrites_is_not_a_loop() {
    let etcd = Etcd::start();
    let registry = registered(&etcd.endpoint()).await;
    let handle = registry.keep_presence(&node("a"), MACHINE, presence("1"));
    until_present(&handle).await;
    let before = etcd.put("/elsewhere", "x").await;
    let foreign = r#"{"session":"foreign","address":"192.168.1.99"}"#;
    let (began, mut puts, mut named) = (Instant::now(), 0, false);
    let mut client = etcd.client().await.kv_client();
    let mut next = interval(Duration::from_millis(50));
    while began.elapsed() < Duration::from_secs(3) {
        next.tick().await;
        client.put(KEY, foreign, None).await.unwrap();
        puts += 1;
        named |= match &*handle.state().borrow() {
            PresenceState::Lost { why } => why.contains("foreign") && why.contains("192.168.1.99"),
            _ => false,
        };
    }
    let written = etcd.put("/elsewhere", "y").await - before - 1 - puts;
    assert!(
        written <= 8,
        "{written} revisions in 3 s beside {puts} of the other writer"
    );
    assert!(named, "the other writer is named");
}
