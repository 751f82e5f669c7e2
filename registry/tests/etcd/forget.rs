//! Forgetting a node: everything at once, and only while the node is absent.

use std::time::Duration;

use ipnet::IpNet;
use registry::owned::{Owned, UnderLedgerLock};
use registry::{Forget, PresenceState, Registration, RegistryChange};
use tokio::time::timeout;

use crate::support::etcd::Etcd;
use crate::support::{
    DEADLINE, MACHINE, agree, changes, claims, conf, conf_of, net, node, open, presence, record,
    reset,
};

const V4: &str = "10.244.0.0/16";

#[tokio::test]
async fn forgotten_node_goes_in_one_revision_and_alone() {
    let etcd = Etcd::start();
    let registry = open(&conf(&[&etcd.endpoint()]));
    let (a, b) = (node("a"), node("b"));
    registry.register(&a, &record(MACHINE, &[])).await.unwrap();
    let first = registry.claim(&a, MACHINE, &net(V4)).await.unwrap();
    let second = registry.claim(&a, MACHINE, &net(V4)).await.unwrap();
    let other = registry.claim(&b, MACHINE, &net(V4)).await.unwrap();
    let mut events = registry.watch();
    reset(&mut events).await;

    let Forget::Done(gone) = registry.forget(&a, false).await.unwrap() else {
        panic!("it is not present");
    };
    assert_eq!(gone.record, Some(record(MACHINE, &[])));
    assert_eq!(gone.subnets.len(), 2);
    let (_, seen) = changes(&mut events).await;
    for change in [
        RegistryChange::Node(a.clone(), None),
        RegistryChange::Subnet(first, None),
        RegistryChange::Subnet(second, None),
    ] {
        assert!(seen.contains(&change), "{change:?} in {seen:?}");
    }
    let left = registry.snapshot().await.unwrap();
    assert_eq!(left.subnets.keys().collect::<Vec<_>>(), [&other]);
    assert_eq!(registry.forget(&a, false).await.unwrap(), Forget::Unknown);
}

#[tokio::test]
async fn present_node_is_forgotten_only_by_force() {
    let etcd = Etcd::start();
    let registry = open(&conf(&[&etcd.endpoint()]));
    let a = node("a");
    registry.register(&a, &record(MACHINE, &[])).await.unwrap();
    registry.claim(&a, MACHINE, &net(V4)).await.unwrap();
    let handle = registry.keep_presence(&a, MACHINE, presence("1"));
    let mut state = handle.state();
    let present = state.wait_for(|state| *state == PresenceState::Present);
    timeout(DEADLINE, present).await.unwrap().unwrap();
    let before = registry.snapshot().await.unwrap();

    let refused = registry.forget(&a, false).await.unwrap();
    assert_eq!(refused, Forget::Present(Some(presence("1"))));
    assert_eq!(registry.snapshot().await.unwrap(), before);

    let forced = registry.forget(&a, true).await.unwrap();
    assert!(matches!(forced, Forget::Done(gone) if gone.presence == Some(presence("1"))));
    let keys = etcd.keys("/flatland/").await;
    assert_eq!(keys, ["/flatland/blue/config"]);
    // It may come back as a new node.
    let again = registry.register(&a, &record(MACHINE, &[])).await.unwrap();
    assert_eq!(again, Registration::New);
}

#[tokio::test]
async fn node_with_many_claims_is_forgotten_completely() {
    let etcd = Etcd::start();
    let registry = open(&conf_of(&[&etcd.endpoint()], &[(V4, 24)]));
    let a = node("a");
    agree(&registry).await.unwrap();
    for third in 0..=255 {
        let key = format!("/flatland/blue/subnets/10.244.{third}.0-24");
        etcd.put(&key, r#"{"node":"a"}"#).await;
    }

    let Forget::Done(gone) = registry.forget(&a, false).await.unwrap() else {
        panic!("it has claims");
    };
    assert_eq!(gone.subnets.len(), 256);
    assert_eq!(etcd.keys("/flatland/").await, ["/flatland/blue/config"]);
}

#[tokio::test]
async fn subnet_without_owner_is_shown_to_watchers() {
    let etcd = Etcd::start();
    let registry = open(&conf(&[&etcd.endpoint()]));
    let (gone, subnet) = (node("gone"), net("10.244.3.0/24"));
    agree(&registry).await.unwrap();
    let mut events = registry.watch();
    reset(&mut events).await;

    assert!(registry.disclaim(&gone, &subnet).await.unwrap());
    let (_, first) = changes(&mut events).await;
    assert!(
        matches!(&first[..], [RegistryChange::Subnet(it, Some(claim))]
        if *it == subnet && claim.node == gone)
    );
    assert_eq!(
        changes(&mut events).await.1,
        [RegistryChange::Subnet(subnet, None)]
    );

    let key = "/flatland/blue/subnets/10.244.3.0-24";
    etcd.put(key, r#"{"node":"b"}"#).await;
    assert!(!registry.disclaim(&gone, &subnet).await.unwrap());
    assert!(etcd.get(key).await.is_some());
}

#[tokio::test]
async fn disowned_subnets_leave_the_file_under_the_ledger_lock() {
    let folder = tempfile::tempdir().unwrap();
    let subnets: Vec<IpNet> = vec![net("10.244.1.0/24"), net("10.244.2.0/24")];
    let owned = Owned {
        cluster: None,
        node: node("a"),
        subnets: subnets.clone(),
    };
    owned.store(folder.path()).unwrap();
    let registry = open(&conf(&["http://127.0.0.1:9"]));
    let load = || Owned::load(folder.path()).unwrap().unwrap().subnets;
    let lose = async |name: &str, lost: &[IpNet]| {
        let under_lock: UnderLedgerLock<'_> = &|change| {
            assert_eq!(load(), subnets);
            change()
        };
        let lost = |subnet: &IpNet| lost.contains(subnet);
        let (name, limit) = (node(name), Duration::from_secs(1));
        let claims = claims(&registry, folder.path(), &name);
        claims.disown(limit, lost, under_lock).await.unwrap()
    };

    assert_eq!(lose("b", &subnets).await, None);
    assert_eq!(lose("a", &[net("10.244.3.0/24")]).await, None);
    let left = lose("a", &subnets[..1]).await.unwrap();
    assert_eq!(left.subnets, subnets[1..]);
    assert_eq!(load(), subnets[1..]);
}
