//! Claims and releases whose reply is lost, or that a concurrent change overtakes.

use std::sync::Arc;

use ipnet::IpNet;
use registry::Error;

use crate::support::etcd::Etcd;
use crate::support::proxy::{Proxy, ProxyFault};
use crate::support::{MACHINE, OTHER_MACHINE, conf, net, node, open, until};

const V4: &str = "10.244.0.0/16";

/// Whether the claim was written or not, the node ends with one subnet and knows it.
#[tokio::test]
async fn claim_with_a_lost_reply_is_found_again() {
    for fault in [ProxyFault::LoseAnswer, ProxyFault::LoseRequest] {
        let etcd = Etcd::start();
        let proxy = Proxy::to(etcd.address()).await;
        let registry = Arc::new(open(&conf(&[&proxy.endpoint()])));
        proxy.arm("-24", fault);
        let claiming = Arc::clone(&registry);
        let claim =
            tokio::spawn(async move { claiming.claim(&node("a"), MACHINE, &net(V4)).await });
        proxy.fault().await;
        if fault == ProxyFault::LoseAnswer {
            until("the claim in etcd", || async {
                (!etcd.keys("/flatland/blue/subnets/").await.is_empty()).then_some(())
            })
            .await;
        }
        proxy.cut();
        let subnet = claim.await.unwrap().unwrap();
        let owned: Vec<_> = registry
            .snapshot()
            .await
            .unwrap()
            .subnets
            .into_keys()
            .collect();
        assert_eq!(owned, [subnet], "{fault:?}");
    }
}

/// Starts a claim, changes etcd between its read and its transaction, and returns the result of the
/// claim.
async fn claim_overtaken_by(etcd: &Etcd, changes: &[(&str, &str)]) -> Result<IpNet, Error> {
    let proxy = Proxy::to(etcd.address()).await;
    let registry = open(&conf(&[&proxy.endpoint()]));
    proxy.arm("-24", ProxyFault::Stall);
    let claim = tokio::spawn(async move { registry.claim(&node("a"), MACHINE, &net(V4)).await });
    proxy.fault().await;
    for (name, value) in changes {
        etcd.put(&format!("/flatland/blue/{name}"), value).await;
    }
    proxy.resume();
    claim.await.unwrap()
}

#[tokio::test]
async fn claim_fails_if_the_network_changed() {
    let etcd = Etcd::start();
    let config = r#"{"podCIDRs":["10.244.0.0/16"],"subnetLengths":[25]}"#;
    let error = claim_overtaken_by(&etcd, &[("config", config)])
        .await
        .unwrap_err();
    assert_eq!(error.code(), 102);
    assert!(etcd.keys("/flatland/blue/subnets/").await.is_empty());
}

#[tokio::test]
async fn claim_fails_if_another_machine_took_the_name() {
    let etcd = Etcd::start();
    let taken = format!(r#"{{"machineId":"{OTHER_MACHINE}"}}"#);
    let session = r#"{"session":"1"}"#;
    let changes = [("presence/a", session), ("nodes/a", taken.as_str())];
    let error = claim_overtaken_by(&etcd, &changes).await.unwrap_err();
    assert_eq!(error.code(), 103);
    assert!(etcd.keys("/flatland/blue/subnets/").await.is_empty());
}

#[tokio::test]
async fn take_over_fails_if_the_other_machine_came_back() {
    let etcd = Etcd::start();
    let held = format!(r#"{{"machineId":"{OTHER_MACHINE}"}}"#);
    etcd.put("/flatland/blue/nodes/a", &held).await;
    let error = claim_overtaken_by(&etcd, &[("presence/a", r#"{"session":"1"}"#)])
        .await
        .unwrap_err();
    assert_eq!(error.code(), 103);
    assert_eq!(etcd.get("/flatland/blue/nodes/a").await, Some(held));
    assert!(etcd.keys("/flatland/blue/subnets/").await.is_empty());
}

#[tokio::test]
async fn claim_avoids_a_subnet_claimed_in_between() {
    let etcd = Etcd::start();
    let registry = open(&conf(&[&etcd.endpoint()]));
    let released = registry.claim(&node("a"), MACHINE, &net(V4)).await.unwrap();
    registry
        .release(&node("a"), MACHINE, &released)
        .await
        .unwrap();
    let name = format!("subnets/{}-24", released.addr());
    let claimed = claim_overtaken_by(&etcd, &[(&name, r#"{"node":"b"}"#)])
        .await
        .unwrap();
    assert_ne!(claimed, released);
    let subnets = registry.snapshot().await.unwrap().subnets;
    assert_eq!(subnets[&released].node, node("b"));
    assert_eq!(subnets[&claimed].node, node("a"));
}

#[tokio::test]
async fn release_with_a_lost_reply_happens_once() {
    let etcd = Etcd::start();
    let proxy = Proxy::to(etcd.address()).await;
    let registry = Arc::new(open(&conf(&[&proxy.endpoint()])));
    let subnet = registry.claim(&node("a"), MACHINE, &net(V4)).await.unwrap();
    let key = format!("/flatland/blue/subnets/{}-24", subnet.addr());
    let releasing = Arc::clone(&registry);
    // Only the condition of the transaction has the key in this field (the third of etcd's
    // Compare).
    let condition = format!(
        "\u{1a}{}{key}",
        char::from(u8::try_from(key.len()).unwrap())
    );
    proxy.arm(&condition, ProxyFault::LoseAnswer);
    let release =
        tokio::spawn(async move { releasing.release(&node("a"), MACHINE, &subnet).await });
    until("the release", || async {
        etcd.get(&key).await.is_none().then_some(())
    })
    .await;
    proxy.cut();
    release.await.unwrap().unwrap();
    assert_eq!(etcd.get(&key).await, None);
}

/// The next node after a loss of all data writes the config again.
#[tokio::test]
async fn claim_is_repeated_after_a_loss_of_all_data() {
    let etcd = Etcd::start();
    let proxy = Proxy::to(etcd.address()).await;
    let registry = Arc::new(open(&conf(&[&proxy.endpoint()])));
    proxy.arm("-24", ProxyFault::Stall);
    let claiming = Arc::clone(&registry);
    let claim = tokio::spawn(async move { claiming.claim(&node("a"), MACHINE, &net(V4)).await });
    proxy.fault().await;
    etcd.delete("/flatland/blue/config").await;
    proxy.resume();
    let subnet = claim.await.unwrap().unwrap();
    let snapshot = registry.snapshot().await.unwrap();
    assert_eq!(snapshot.network.as_ref(), Some(registry.network()));
    assert_eq!(snapshot.subnets.into_keys().collect::<Vec<_>>(), [subnet]);
}
