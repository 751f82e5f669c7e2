//! Watching an etcd whose history was compacted, lost, restored or rewritten.

use std::path::Path;
use std::time::Duration;

use registry::{Policy, Registry};
use tokio::time::timeout;

use crate::support::proxy::{Proxy, ProxyFault};
use crate::support::{changes, conf, fast_policy, net, node, open, reset};
use crate::watch::{OTHER_SUBNET, SUBNET, claimed, connected, disconnected, etcd, follow_until};

#[tokio::test]
async fn compaction_during_an_outage_leads_to_a_reset() {
    let etcd = etcd().await;
    let proxy = Proxy::to(etcd.address()).await;
    let mut events = open(&conf(&[&proxy.endpoint()])).watch();
    reset(&mut events).await;
    proxy.stall();
    proxy.cut();
    disconnected(&mut events).await;
    etcd.put(SUBNET, r#"{"node":"a"}"#).await;
    etcd.put(OTHER_SUBNET, r#"{"node":"b"}"#).await;
    etcd.delete(SUBNET).await;
    etcd.compact().await;
    proxy.resume();
    connected(&mut events).await;
    let snapshot = reset(&mut events).await;
    assert_eq!(
        snapshot.subnets.keys().copied().collect::<Vec<_>>(),
        [net("10.244.2.0/24")]
    );
    etcd.put(SUBNET, r#"{"node":"c"}"#).await;
    assert_eq!(
        changes(&mut events).await.1,
        [claimed("10.244.1.0/24", "c")]
    );
}

#[tokio::test]
async fn compaction_before_the_watch_leads_to_a_reset() {
    let etcd = etcd().await;
    let proxy = Proxy::to(etcd.address()).await;
    let mut events = open(&conf(&[&proxy.endpoint()])).watch();
    reset(&mut events).await;
    proxy.stall();
    proxy.cut();
    disconnected(&mut events).await;
    // The end of the watched range. No other request that resumes the watch contains it.
    proxy.arm("/flatland/blue0", ProxyFault::Stall);
    proxy.resume();
    proxy.fault().await;
    etcd.put(SUBNET, r#"{"node":"a"}"#).await;
    etcd.put(SUBNET, r#"{"node":"b"}"#).await;
    etcd.compact().await;
    proxy.resume();
    connected(&mut events).await;
    let snapshot = reset(&mut events).await;
    assert_eq!(snapshot.subnets[&net("10.244.1.0/24")].node, node("b"));
}

#[tokio::test]
async fn compaction_during_a_watch_loses_nothing() {
    let etcd = etcd().await;
    let mut events = open(&conf(&[&etcd.endpoint()])).watch();
    let mut snapshot = reset(&mut events).await;
    for round in 0..50 {
        etcd.put(SUBNET, &format!(r#"{{"node":"n{round}"}}"#)).await;
        etcd.compact().await;
    }
    follow_until(&mut snapshot, &mut events, "10.244.1.0/24", "n49").await;
}

/// A receiver that pauses for long neither blocks etcd nor misses events.
#[tokio::test]
async fn slow_receiver_gets_everything_later() {
    let etcd = etcd().await;
    let mut events = open(&conf(&[&etcd.endpoint()])).watch();
    let mut snapshot = reset(&mut events).await;
    for round in 0..300 {
        etcd.put(SUBNET, &format!(r#"{{"node":"n{round}"}}"#)).await;
    }
    follow_until(&mut snapshot, &mut events, "10.244.1.0/24", "n299").await;
}

/// The same flags give the same cluster id, so the id is not enough to notice.
#[tokio::test]
async fn etcd_that_lost_its_data_leads_to_a_reset() {
    let mut etcd = etcd().await;
    let proxy = Proxy::to(etcd.address()).await;
    let mut events = open(&conf(&[&proxy.endpoint()])).watch();
    etcd.put(SUBNET, r#"{"node":"a"}"#).await;
    let mut snapshot = reset(&mut events).await;
    follow_until(&mut snapshot, &mut events, "10.244.1.0/24", "a").await;
    proxy.stall();
    proxy.cut();
    disconnected(&mut events).await;
    etcd.stop();
    etcd.start_empty();
    for round in 0..10 {
        etcd.put("/elsewhere", &round.to_string()).await;
    }
    proxy.resume();
    connected(&mut events).await;
    assert!(reset(&mut events).await.subnets.is_empty());
}

#[tokio::test]
async fn etcd_restored_from_a_backup_leads_to_a_reset() {
    let mut etcd = etcd().await;
    etcd.stop();
    let backup = etcd.back_up();
    etcd.start_again();
    let mut events = open(&conf(&[&etcd.endpoint()])).watch();
    reset(&mut events).await;
    etcd.put(SUBNET, r#"{"node":"a"}"#).await;
    changes(&mut events).await;
    etcd.stop();
    disconnected(&mut events).await;
    etcd.restore(&backup);
    connected(&mut events).await;
    assert!(reset(&mut events).await.subnets.is_empty());
}

/// The keys that were written last are the same before and after, only the deleted one is back.
#[tokio::test]
async fn deletions_undone_by_a_restore_lead_to_a_reset() {
    let mut etcd = etcd().await;
    etcd.put(SUBNET, r#"{"node":"a"}"#).await;
    etcd.put(OTHER_SUBNET, r#"{"node":"b"}"#).await;
    etcd.stop();
    let backup = etcd.back_up();
    etcd.start_again();
    let proxy = Proxy::to(etcd.address()).await;
    let mut events = open(&conf(&[&proxy.endpoint()])).watch();
    assert_eq!(reset(&mut events).await.subnets.len(), 2);
    etcd.delete(SUBNET).await;
    changes(&mut events).await;
    proxy.stall();
    proxy.cut();
    disconnected(&mut events).await;
    etcd.stop();
    etcd.restore(&backup);
    // The old position exists again, in another history.
    for round in 0..10 {
        etcd.put("/elsewhere", &round.to_string()).await;
    }
    proxy.resume();
    connected(&mut events).await;
    assert_eq!(reset(&mut events).await.subnets.len(), 2);
}

/// Of forty deletions since the backup, the last ones are made again after the restore, and a claim
/// was made before etcd reached the old revision: all that is compared agrees, by chance.
#[tokio::test]
async fn restore_that_agrees_by_chance_leads_to_a_reset() {
    let mut etcd = etcd().await;
    let subnet = |n: u8| format!("/flatland/blue/subnets/10.244.{n}.0-24");
    for n in 0..40 {
        etcd.put(&subnet(n), r#"{"node":"a"}"#).await;
    }
    etcd.save();
    let proxy = Proxy::to(etcd.address()).await;
    let policy = Policy {
        reread_pace: Duration::from_millis(20),
        ..fast_policy()
    };
    let conf = conf(&[&proxy.endpoint()]);
    let registry = Registry::open_with(&conf, Path::new("/nowhere"), policy);
    let mut events = registry.watch();
    assert_eq!(reset(&mut events).await.subnets.len(), 40);
    for n in 0..40 {
        etcd.delete(&subnet(n)).await;
        changes(&mut events).await;
    }
    proxy.stall();
    proxy.cut();
    disconnected(&mut events).await;
    etcd.restore_saved();
    for n in 8..40 {
        etcd.delete(&subnet(n)).await;
    }
    etcd.put(&subnet(100), r#"{"node":"b"}"#).await;
    for round in 0..10 {
        etcd.put("/elsewhere", &round.to_string()).await;
    }
    proxy.resume();
    connected(&mut events).await;
    let all: Vec<_> = (0..8)
        .chain([100])
        .map(|n| net(&format!("10.244.{n}.0/24")))
        .collect();
    assert_eq!(
        reset(&mut events)
            .await
            .subnets
            .into_keys()
            .collect::<Vec<_>>(),
        all
    );
    // Once is enough.
    let more = timeout(Duration::from_secs(1), events.recv()).await;
    assert!(more.is_err(), "{more:?}");
}

#[tokio::test]
async fn change_of_the_config_leads_to_a_reset() {
    let etcd = etcd().await;
    let mut events = open(&conf(&[&etcd.endpoint()])).watch();
    etcd.put(SUBNET, r#"{"node":"a"}"#).await;
    let mut snapshot = reset(&mut events).await;
    follow_until(&mut snapshot, &mut events, "10.244.1.0/24", "a").await;
    let config = r#"{"podCIDRs":["10.244.0.0/16"],"subnetLengths":[25]}"#;
    etcd.put("/flatland/blue/config", config).await;
    let snapshot = reset(&mut events).await;
    assert_eq!(snapshot.network.unwrap().subnet_lengths, [25]);
    assert!(snapshot.subnets.is_empty());
    assert_eq!(snapshot.rejected.len(), 1);
}
