//! What both backends have in common: one table of cases, run on etcd and on the local registry.

use std::path::Path;

use registry::{Network, PresenceState, Registration, Registry, RegistryEvent};
use wire::conf::IpamConfig;

use crate::support::etcd::Etcd;
use crate::support::{
    MACHINE, OTHER_MACHINE, agree, conf_of, fast_policy, net, node, presence, record,
};

const POOLS: &[(&str, u8)] = &[("10.244.0.0/23", 24), ("fd00:10:244::/56", 80)];

/// The common behaviour. The registry is empty at first.
async fn behaves(open: impl Fn(&IpamConfig) -> Registry, endpoints: &[&str]) {
    let conf = conf_of(endpoints, POOLS);
    let registry = open(&conf);
    let (a, b) = (node("a"), node("b"));
    let (v4, v6) = (conf.pod_cidrs[0], conf.pod_cidrs[1]);

    assert_eq!(registry.snapshot().await.unwrap().network, None);
    agree(&registry).await.unwrap();
    agree(&registry).await.unwrap();
    assert_eq!(
        registry.snapshot().await.unwrap().network,
        Some(Network::from(&conf))
    );

    let mismatch = open(&conf_of(endpoints, &[("10.244.0.0/23", 25)]));
    assert_eq!(agree(&mismatch).await.unwrap_err().code(), 102);
    assert_eq!(
        mismatch.claim(&a, MACHINE, &v4).await.unwrap_err().code(),
        102
    );

    let known = record(MACHINE, &["192.168.1.20"]);
    assert_eq!(
        registry.register(&a, &known).await.unwrap(),
        Registration::New
    );
    let before = registry.snapshot().await.unwrap();
    assert_eq!(
        registry.register(&a, &known).await.unwrap(),
        Registration::Unchanged
    );
    assert_eq!(registry.snapshot().await.unwrap(), before);
    let moved = record(MACHINE, &["192.168.1.21"]);
    assert_eq!(
        registry.register(&a, &moved).await.unwrap(),
        Registration::Updated { from: known }
    );

    let first = registry.claim(&a, MACHINE, &v4).await.unwrap();
    let second = registry.claim(&a, MACHINE, &v4).await.unwrap();
    assert_ne!(first, second);
    assert!(v4.contains(&first) && v4.contains(&second));
    let exhausted = registry.claim(&b, MACHINE, &v4).await.unwrap_err();
    assert_eq!(exhausted.code(), 101);
    assert!(exhausted.to_string().contains("2 by a"), "{exhausted}");
    assert!(v6.contains(&registry.claim(&b, MACHINE, &v6).await.unwrap()));
    let foreign = net("10.1.0.0/16");
    assert_eq!(
        registry
            .claim(&a, MACHINE, &foreign)
            .await
            .unwrap_err()
            .code(),
        7
    );

    let denied = registry.release(&b, MACHINE, &first).await.unwrap_err();
    assert!(denied.to_string().contains("belongs to node a"), "{denied}");
    registry.release(&a, MACHINE, &first).await.unwrap();
    registry.release(&a, MACHINE, &first).await.unwrap();
    assert_eq!(registry.claim(&b, MACHINE, &v4).await.unwrap(), first);

    let other = record(OTHER_MACHINE, &[]);
    let taken = registry.register(&a, &other).await.unwrap();
    assert_eq!(taken, Registration::TookOver { from: moved });

    let snapshot = registry.snapshot().await.unwrap();
    assert_eq!(snapshot.nodes[&a], other);
    assert_eq!(snapshot.subnets.len(), 3);
    assert_eq!(crate::support::reset(&mut registry.watch()).await, snapshot);

    let handle = registry.keep_presence(&a, OTHER_MACHINE, presence("1"));
    handle
        .state()
        .wait_for(|state| *state == PresenceState::Present)
        .await
        .unwrap();
    handle.stop().await;
}

#[tokio::test]
async fn etcd_registry_behaves() {
    let etcd = Etcd::start();
    let open = |conf: &_| Registry::open_with(conf, Path::new("/nowhere"), fast_policy());
    behaves(open, &[&etcd.endpoint()]).await;
}

#[tokio::test]
async fn local_registry_behaves() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("made/when/needed");
    behaves(|conf| Registry::open_with(conf, &state, fast_policy()), &[]).await;
}

#[tokio::test]
async fn damaged_local_registry_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Registry::open_with(&conf_of(&[], POOLS), folder.path(), fast_policy());
    let subnet = open()
        .claim(&node("a"), MACHINE, &net("10.244.0.0/23"))
        .await
        .unwrap();
    assert_eq!(
        open().snapshot().await.unwrap().subnets[&subnet].node,
        node("a")
    );

    let file = folder.path().join("registry.json");
    std::fs::write(&file, "{ half").unwrap();
    let error = agree(&open()).await.unwrap_err();
    assert_eq!(error.code(), 6);
    assert!(
        error.to_string().contains(file.to_str().unwrap()),
        "{error}"
    );
    let why = match crate::support::event(&mut open().watch()).await {
        RegistryEvent::Disconnected { why } => why,
        other => panic!("expected the reason, got {other:?}"),
    };
    assert!(why.contains(file.to_str().unwrap()), "{why}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "{ half");
}

#[tokio::test]
async fn local_registry_sends_one_snapshot_and_keeps_the_channel() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::open_with(&conf_of(&[], POOLS), folder.path(), fast_policy());
    agree(&registry).await.unwrap();
    let mut events = registry.watch();
    crate::support::reset(&mut events).await;
    let quiet = tokio::time::timeout(std::time::Duration::from_millis(300), events.recv()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}
