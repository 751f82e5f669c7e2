//! Claims in a real etcd: no subnet has two owners, and no claim is lost.

use std::sync::Arc;

use registry::{Error, Registration};
use tokio::task::JoinSet;

use crate::support::etcd::Etcd;
use crate::support::{
    MACHINE, OTHER_MACHINE, agree, all_differ, conf, conf_of, net, node, open, presence, record,
};

const V4: &str = "10.244.0.0/16";
const V6: &str = "fd00:10:244::/56";

#[tokio::test]
async fn first_node_writes_the_config_and_others_agree() {
    let etcd = Etcd::start();
    let conf = conf(&[&etcd.endpoint()]);
    agree(&open(&conf)).await.unwrap();
    agree(&open(&conf)).await.unwrap();
    let written = etcd.get("/flatland/blue/config").await.unwrap();
    assert_eq!(
        written,
        r#"{"podCIDRs":["10.244.0.0/16","fd00:10:244::/56"],"subnetLengths":[24,80]}"#
    );
}

#[tokio::test]
async fn different_conflist_is_refused_with_both_values() {
    let etcd = Etcd::start();
    agree(&open(&conf(&[&etcd.endpoint()]))).await.unwrap();
    let other = open(&conf_of(&[&etcd.endpoint()], &[("10.244.0.0/16", 25)]));
    let name = node("a");
    for error in [
        agree(&other).await.unwrap_err(),
        other.claim(&name, MACHINE, &net(V4)).await.unwrap_err(),
        other
            .register(&name, &record(MACHINE, &[]))
            .await
            .map(drop)
            .unwrap_err(),
    ] {
        assert_eq!(error.code(), 102);
        let text = error.to_string();
        for part in [
            "10.244.0.0/16 in subnets of /25",
            "/24, fd00:10:244::/56",
            "/flatland/blue/config",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
    assert_eq!(etcd.keys("/flatland/").await, ["/flatland/blue/config"]);
}

#[tokio::test]
async fn unreadable_config_is_named_and_not_changed() {
    let etcd = Etcd::start();
    etcd.put("/flatland/blue/config", "?").await;
    let registry = open(&conf(&[&etcd.endpoint()]));
    let error = registry
        .claim(&node("a"), MACHINE, &net(V4))
        .await
        .unwrap_err();
    assert_eq!(error.code(), 6);
    assert!(
        error.to_string().contains("/flatland/blue/config"),
        "{error}"
    );
    assert_eq!(etcd.get("/flatland/blue/config").await.unwrap(), "?");
}

#[tokio::test]
async fn concurrent_claims_of_many_nodes_differ_in_both_families() {
    let etcd = Etcd::start();
    // Few more subnets than nodes, so that the nodes do collide.
    let conf = Arc::new(conf_of(
        &[&etcd.endpoint()],
        &[("10.244.0.0/17", 24), ("fd00::/73", 80)],
    ));
    let mut claimers = JoinSet::new();
    for n in 0..64 {
        let conf = Arc::clone(&conf);
        claimers.spawn(async move {
            let (registry, name) = (open(&conf), node(&format!("node-{n}")));
            let mut subnets = Vec::new();
            for pod_cidr in &conf.pod_cidrs {
                subnets.push(registry.claim(&name, MACHINE, pod_cidr).await.unwrap());
            }
            subnets
        });
    }
    let subnets: Vec<_> = claimers.join_all().await.into_iter().flatten().collect();
    assert_eq!(subnets.len(), 128);
    assert!(all_differ(&subnets));
    let requests = etcd.requests();
    assert!(
        requests <= 64 * 8,
        "{requests} requests for 128 claims of 64 nodes"
    );

    let snapshot = open(&conf).snapshot().await.unwrap();
    assert_eq!(snapshot.subnets.len(), 128);
    assert!(snapshot.rejected.is_empty(), "{:?}", snapshot.rejected);
}

#[tokio::test]
async fn claim_without_contention_takes_two_requests() {
    let etcd = Etcd::start();
    let registry = open(&conf(&[&etcd.endpoint()]));
    registry.claim(&node("a"), MACHINE, &net(V4)).await.unwrap();
    let before = etcd.requests();
    registry.claim(&node("a"), MACHINE, &net(V6)).await.unwrap();
    assert_eq!(etcd.requests() - before, 2);
}

#[tokio::test]
async fn used_up_pod_cidr_names_the_owners() {
    let etcd = Etcd::start();
    let conf = conf_of(&[&etcd.endpoint()], &[("10.244.0.0/22", 24)]);
    let registry = open(&conf);
    let pod_cidr = &conf.pod_cidrs[0];
    for name in ["a", "a", "a", "b"] {
        registry
            .claim(&node(name), MACHINE, pod_cidr)
            .await
            .unwrap();
    }
    let error = registry
        .claim(&node("c"), MACHINE, pod_cidr)
        .await
        .unwrap_err();
    assert_eq!(error.code(), 101);
    let text = error.to_string();
    assert!(
        text.contains("all 4 subnets of pod CIDR 10.244.0.0/22"),
        "{text}"
    );
    assert!(text.contains("3 by a, 1 by b"), "{text}");
}

#[tokio::test]
async fn unreadable_claim_is_never_overwritten() {
    let etcd = Etcd::start();
    let conf = conf_of(&[&etcd.endpoint()], &[("10.244.0.0/22", 24)]);
    for (name, value) in [
        ("10.244.0.0-24", "garbage"),
        ("10.244.1.0-25", r#"{"node":"other-length"}"#),
        ("10.244.2.0-24", r#"{"node":"b"}"#),
    ] {
        etcd.put(&format!("/flatland/blue/subnets/{name}"), value)
            .await;
    }
    let registry = open(&conf);
    let claimed = registry
        .claim(&node("a"), MACHINE, &conf.pod_cidrs[0])
        .await
        .unwrap();
    assert_eq!(claimed, net("10.244.3.0/24"));
    registry
        .claim(&node("a"), MACHINE, &conf.pod_cidrs[0])
        .await
        .unwrap_err();
}

#[tokio::test]
async fn node_releases_only_what_it_owns() {
    let etcd = Etcd::start();
    let registry = open(&conf(&[&etcd.endpoint()]));
    let subnet = registry.claim(&node("a"), MACHINE, &net(V4)).await.unwrap();
    let error = registry
        .release(&node("b"), MACHINE, &subnet)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotOwned { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains(&format!("{subnet} belongs to node a")),
        "{error}"
    );
    assert_eq!(registry.snapshot().await.unwrap().subnets.len(), 1);
    registry
        .release(&node("a"), MACHINE, &subnet)
        .await
        .unwrap();
    registry
        .release(&node("a"), MACHINE, &subnet)
        .await
        .unwrap();
    assert_eq!(registry.snapshot().await.unwrap().subnets.len(), 0);
}

#[tokio::test]
async fn registering_writes_only_changes() {
    let etcd = Etcd::start();
    let registry = open(&conf(&[&etcd.endpoint()]));
    let name = node("a");
    let first = record(MACHINE, &["192.168.1.20"]);
    assert_eq!(
        registry.register(&name, &first).await.unwrap(),
        Registration::New
    );
    let revision = registry.snapshot().await.unwrap().revision;
    assert_eq!(
        registry.register(&name, &first).await.unwrap(),
        Registration::Unchanged
    );
    assert_eq!(registry.snapshot().await.unwrap().revision, revision);
    let moved = record(MACHINE, &["192.168.1.21", "fd00::21"]);
    assert_eq!(
        registry.register(&name, &moved).await.unwrap(),
        Registration::Updated { from: first }
    );
    assert_eq!(registry.snapshot().await.unwrap().nodes[&name], moved);
}

#[tokio::test]
async fn two_machines_cannot_have_one_node_name() {
    let etcd = Etcd::start();
    let registry = Arc::new(open(&conf(&[&etcd.endpoint()])));
    let name = node("a");
    let ours = record(MACHINE, &["192.168.1.20"]);
    let theirs = record(OTHER_MACHINE, &["192.168.1.99"]);
    registry.register(&name, &ours).await.unwrap();
    let subnet = registry.claim(&name, MACHINE, &net(V4)).await.unwrap();
    let handle = registry.keep_presence(&name, MACHINE, presence("1"));
    handle
        .state()
        .wait_for(|state| *state == registry::PresenceState::Present)
        .await
        .unwrap();

    for error in [
        registry
            .register(&name, &theirs)
            .await
            .map(drop)
            .unwrap_err(),
        registry
            .claim(&name, OTHER_MACHINE, &net(V4))
            .await
            .map(drop)
            .unwrap_err(),
    ] {
        assert_eq!(error.code(), 103);
        for part in [MACHINE, OTHER_MACHINE, "192.168.1.20", "node name a"] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }
    assert_eq!(registry.snapshot().await.unwrap().nodes[&name], ours);

    handle.stop().await;
    let taken = registry.register(&name, &theirs).await.unwrap();
    assert_eq!(taken, Registration::TookOver { from: ours });
    let snapshot = registry.snapshot().await.unwrap();
    assert_eq!(snapshot.nodes[&name], theirs);
    assert_eq!(
        snapshot.subnets.keys().copied().collect::<Vec<_>>(),
        [subnet]
    );
}

#[tokio::test]
async fn node_that_claims_first_is_registered_by_that() {
    let etcd = Etcd::start();
    let registry = open(&conf(&[&etcd.endpoint()]));
    registry.claim(&node("a"), MACHINE, &net(V4)).await.unwrap();
    assert_eq!(
        registry.snapshot().await.unwrap().nodes[&node("a")],
        record(MACHINE, &[])
    );
    let known = record(MACHINE, &["192.168.1.20"]);
    assert_eq!(
        registry.register(&node("a"), &known).await.unwrap(),
        Registration::Updated {
            from: record(MACHINE, &[])
        }
    );
    registry.claim(&node("a"), MACHINE, &net(V6)).await.unwrap();
    assert_eq!(registry.snapshot().await.unwrap().nodes[&node("a")], known);
}
