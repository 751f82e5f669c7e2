//! The file of a node's own subnets, and how it is reconciled with the registry.

use std::fs;
use std::path::Path;
use std::time::Duration;

use registry::owned::Owned;
use registry::{Error, Policy, Registry};
use tokio::task::JoinSet;
use wire::conf::IpamConfig;

use crate::support::etcd::Etcd;
use crate::support::proxy::Proxy;
use crate::support::{
    MACHINE, OTHER_MACHINE, all_differ, claims, conf, conf_of, fast_policy, net, node, open,
    presence, record, until,
};

/// No program listens on this port.
const NOWHERE: &str = "http://127.0.0.1:9";

async fn ensure(conf: &IpamConfig, folder: &Path, name: &str) -> Result<Owned, Error> {
    let registry = Registry::open_with(conf, folder, fast_policy());
    claims(&registry, folder, &node(name)).ensure(conf).await
}

/// A policy with a short time-out.
fn short_timeout() -> Policy {
    Policy {
        operation_timeout: Duration::from_millis(300),
        ..fast_policy()
    }
}

#[tokio::test]
async fn first_ensure_claims_each_family_and_the_next_is_offline() {
    let etcd = Etcd::start();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("blue");
    assert_eq!(Owned::load(&state).unwrap(), None);
    let owned = ensure(&conf(&[&etcd.endpoint()]), &state, "a")
        .await
        .unwrap();
    assert_eq!(owned.subnets.len(), 2);
    assert!(net("10.244.0.0/16").contains(&owned.subnets[0]));
    assert!(net("fd00:10:244::/56").contains(&owned.subnets[1]));
    assert_eq!(Owned::load(&state).unwrap(), Some(owned.clone()));

    let snapshot = open(&conf(&[&etcd.endpoint()])).snapshot().await.unwrap();
    assert_eq!(owned.cluster, Some(snapshot.cluster));
    assert_eq!(
        snapshot.subnets.into_keys().collect::<Vec<_>>(),
        owned.subnets
    );

    drop(etcd);
    assert!(owned.has_all_families(&node("a"), &conf(&[NOWHERE])));
    assert_eq!(ensure(&conf(&[NOWHERE]), &state, "a").await.unwrap(), owned);
}

#[tokio::test]
async fn new_node_needs_two_requests() {
    let etcd = Etcd::start();
    let folder = tempfile::tempdir().unwrap();
    let before = etcd.requests();
    ensure(&conf(&[&etcd.endpoint()]), folder.path(), "a")
        .await
        .unwrap();
    assert_eq!(etcd.requests() - before, 2);
}

#[tokio::test]
async fn concurrent_ensures_on_one_node_claim_once() {
    let etcd = Etcd::start();
    let folder = tempfile::tempdir().unwrap();
    let before = etcd.requests();
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (conf, folder) = (conf(&[&etcd.endpoint()]), folder.path().to_owned());
        tasks.spawn(async move { ensure(&conf, &folder, "a").await.unwrap() });
    }
    let all = tasks.join_all().await;
    assert!(all.iter().all(|owned| *owned == all[0]));
    assert_eq!(etcd.requests() - before, 2, "only one of them uses etcd");
    assert_eq!(etcd.keys("/flatland/blue/subnets/").await.len(), 2);
}

#[tokio::test]
async fn concurrent_nodes_own_different_subnets() {
    let etcd = Etcd::start();
    let mut tasks = JoinSet::new();
    for n in 0..40 {
        let conf = conf_of(
            &[&etcd.endpoint()],
            &[("10.244.0.0/18", 24), ("fd00::/72", 80)],
        );
        tasks.spawn(async move {
            let folder = tempfile::tempdir().unwrap();
            ensure(&conf, folder.path(), &format!("node-{n}"))
                .await
                .unwrap()
                .subnets
        });
    }
    let subnets: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(subnets.len(), 80);
    assert!(all_differ(&subnets));
}

#[tokio::test]
async fn lost_or_damaged_file_is_rebuilt_from_the_claims() {
    let etcd = Etcd::start();
    let conf = conf(&[&etcd.endpoint()]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("subnets.json");
    let owned = ensure(&conf, folder.path(), "a").await.unwrap();
    for damage in [None, Some(""), Some("{\"node\":"), Some("[]")] {
        match damage {
            None => fs::remove_file(&file).unwrap(),
            Some(text) => fs::write(&file, text).unwrap(),
        }
        assert_eq!(
            ensure(&conf, folder.path(), "a").await.unwrap(),
            owned,
            "{damage:?}"
        );
        assert_eq!(Owned::load(folder.path()).unwrap(), Some(owned.clone()));
    }
    assert_eq!(etcd.keys("/flatland/blue/subnets/").await.len(), 2);
}

#[tokio::test]
async fn damaged_file_is_named_and_kept_while_etcd_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("subnets.json");
    fs::write(&file, "{ half").unwrap();
    let error = Owned::load(folder.path()).unwrap_err();
    assert!(
        error.to_string().contains(file.to_str().unwrap()),
        "{error}"
    );
    let conf = conf(&[NOWHERE]);
    let registry = Registry::open_with(&conf, folder.path(), short_timeout());
    let error = claims(&registry, folder.path(), &node("a"))
        .ensure(&conf)
        .await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), 6);
    for part in [file.to_str().unwrap(), NOWHERE] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "{ half");
}

#[tokio::test]
async fn second_family_is_added_to_the_first() {
    let etcd = Etcd::start();
    let folder = tempfile::tempdir().unwrap();
    let both = conf(&[&etcd.endpoint()]);
    let owned = ensure(&both, folder.path(), "a").await.unwrap();
    let half = Owned {
        subnets: vec![owned.subnets[0]],
        ..owned.clone()
    };
    half.store(folder.path()).unwrap();
    assert!(!half.has_all_families(&node("a"), &both));
    assert_eq!(ensure(&both, folder.path(), "a").await.unwrap(), owned);
}

/// After etcd lost its data, the node's file still knows the claims.
#[tokio::test]
async fn claims_only_in_the_file_are_made_again_if_free() {
    let etcd = Etcd::start();
    let conf = conf(&[&etcd.endpoint()]);
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs, outside) = (
        net("10.244.7.0/24"),
        net("10.244.8.0/24"),
        net("10.9.9.0/24"),
    );
    etcd.put("/flatland/blue/subnets/10.244.8.0-24", r#"{"node":"b"}"#)
        .await;
    let known = Owned {
        cluster: None,
        node: node("a"),
        subnets: vec![ours, theirs, outside],
    };
    known.store(folder.path()).unwrap();
    let owned = ensure(&conf, folder.path(), "a").await.unwrap();
    assert_eq!(owned.subnets.len(), 2, "{owned:?}");
    assert_eq!(owned.subnets[0], ours);
    let claims = etcd.keys("/flatland/blue/subnets/").await;
    assert_eq!(claims.len(), 3, "{claims:?}");
    let other = etcd.get("/flatland/blue/subnets/10.244.8.0-24").await;
    assert_eq!(other.as_deref(), Some(r#"{"node":"b"}"#));
}

#[tokio::test]
async fn renew_reconciles_although_the_file_is_complete() {
    let etcd = Etcd::start();
    let conf = conf(&[&etcd.endpoint()]);
    let folder = tempfile::tempdir().unwrap();
    let registry = open(&conf);
    let owned = ensure(&conf, folder.path(), "a").await.unwrap();
    let further = registry
        .claim(&node("a"), MACHINE, &conf.pod_cidrs[0])
        .await
        .unwrap();
    let lost = format!("/flatland/blue/subnets/{}-80", owned.subnets[1].addr());
    etcd.delete(&lost).await;

    assert_eq!(ensure(&conf, folder.path(), "a").await.unwrap(), owned);
    let name = node("a");
    let renewed = claims(&registry, folder.path(), &name).renew().await;
    let renewed = renewed.unwrap();
    let expected = [owned.subnets, vec![further]].concat();
    assert_eq!(renewed.subnets, expected, "new subnets come last");
    assert_eq!(etcd.get(&lost).await.as_deref(), Some(r#"{"node":"a"}"#));
    assert_eq!(Owned::load(folder.path()).unwrap(), Some(renewed));
}

/// A process that waits for another one, which waits for etcd, has the same time-out.
#[tokio::test]
async fn waiting_for_another_process_times_out() {
    let etcd = Etcd::start();
    let proxy = Proxy::to(etcd.address()).await;
    proxy.stall();
    let folder = tempfile::tempdir().unwrap();
    let (slow, state) = (conf(&[&proxy.endpoint()]), folder.path().to_owned());
    let first = tokio::spawn(async move { ensure(&slow, &state, "a").await });
    let lock = folder.path().join("claim.lock");
    until("the lock", || async { lock.exists().then_some(()) }).await;

    let conf = conf(&[&etcd.endpoint()]);
    let registry = Registry::open_with(&conf, folder.path(), short_timeout());
    let error = claims(&registry, folder.path(), &node("a"))
        .ensure(&conf)
        .await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), 11);
    assert!(
        error.to_string().contains(lock.to_str().unwrap()),
        "{error}"
    );
    proxy.resume();
    first.await.unwrap().unwrap();
}

#[tokio::test]
async fn file_of_another_node_name_is_not_used() {
    let etcd = Etcd::start();
    let conf = conf(&[&etcd.endpoint()]);
    let folder = tempfile::tempdir().unwrap();
    let first = ensure(&conf, folder.path(), "a").await.unwrap();
    assert!(!first.has_all_families(&node("b"), &conf));
    let second = ensure(&conf, folder.path(), "b").await.unwrap();
    assert_eq!(second.node, node("b"));
    assert!(all_differ(&[first.subnets, second.subnets].concat()));
}

#[tokio::test]
async fn machine_whose_name_is_taken_claims_nothing_until_it_is_free() {
    let etcd = Etcd::start();
    let conf = conf(&[&etcd.endpoint()]);
    let folder = tempfile::tempdir().unwrap();
    let registry = open(&conf);
    registry
        .register(&node("a"), &record(OTHER_MACHINE, &["192.168.1.9"]))
        .await
        .unwrap();
    let claimed = registry
        .claim(&node("a"), OTHER_MACHINE, &conf.pod_cidrs[0])
        .await
        .unwrap();
    let handle = registry.keep_presence(&node("a"), OTHER_MACHINE, presence("1"));
    handle
        .state()
        .wait_for(|state| *state == registry::PresenceState::Present)
        .await
        .unwrap();
    let error = ensure(&conf, folder.path(), "a").await.unwrap_err();
    assert_eq!(error.code(), 103);
    assert!(error.to_string().contains("192.168.1.9"), "{error}");
    assert_eq!(Owned::load(folder.path()).unwrap(), None);

    handle.stop().await;
    let owned = ensure(&conf, folder.path(), "a").await.unwrap();
    assert_eq!(owned.subnets[0], claimed);
    assert_eq!(
        registry.snapshot().await.unwrap().nodes[&node("a")].machine_id,
        MACHINE
    );
}

#[tokio::test]
async fn single_node_needs_no_etcd() {
    let folder = tempfile::tempdir().unwrap();
    let owned = ensure(&conf(&[]), folder.path(), "a").await.unwrap();
    assert_eq!(owned.cluster, None);
    assert_eq!(owned.subnets.len(), 2);
    fs::remove_file(folder.path().join("subnets.json")).unwrap();
    assert_eq!(ensure(&conf(&[]), folder.path(), "a").await.unwrap(), owned);
}

#[tokio::test]
async fn folder_that_cannot_be_created_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let blocked = folder.path().join("file/blue");
    let error = ensure(&conf(&[]), &blocked, "a").await.unwrap_err();
    assert_eq!(error.code(), 5);
    assert!(
        error.to_string().contains(blocked.to_str().unwrap()),
        "{error}"
    );
}
