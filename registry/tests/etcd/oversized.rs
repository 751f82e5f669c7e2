//! Values below the prefix that are too large for any record, written by another program.

use std::time::Duration;

use tokio::time::timeout;

use crate::support::etcd::Etcd;
use crate::support::{DEADLINE, MACHINE, changes, conf, net, node, open, record, reset};

const LARGE: usize = 1_400_000;

/// Together they are larger than any reply that the client accepts.
#[tokio::test]
async fn large_values_do_not_keep_a_node_out() {
    let etcd = Etcd::start();
    let known = open(&conf(&[&etcd.endpoint()]));
    let [a, b] = [node("a"), node("b")];
    known
        .register(&a, &record(MACHINE, &["192.168.1.20"]))
        .await
        .unwrap();
    let first = known
        .claim(&a, MACHINE, &net("10.244.0.0/16"))
        .await
        .unwrap();
    let value = "x".repeat(LARGE);
    for n in 0..70 {
        let name = match n % 5 {
            0 => format!("nodes/big-{n}"),
            1 => format!("presence/big-{n}"),
            2 => format!("subnets/10.244.{n}.0-24"),
            3 => format!("junk/{n}"),
            _ => format!("zzz{n}"),
        };
        etcd.put(&format!("/flatland/blue/{name}"), &value).await;
    }

    let restarted = open(&conf(&[&etcd.endpoint()]));
    let mut events = restarted.watch();
    let snapshot = reset(&mut events).await;
    assert_eq!(snapshot.nodes.len(), 1);
    assert!(snapshot.subnets.contains_key(&first));
    assert!(snapshot.rejected["nodes/big-0"].contains("longer than"));
    assert!(snapshot.rejected["junk/3"].contains("no such key"));
    assert_eq!(snapshot.rejected.len(), 70);
    restarted
        .register(&b, &record(MACHINE, &["192.168.1.21"]))
        .await
        .unwrap();
    changes(&mut events).await;
    let second = restarted
        .claim(&b, MACHINE, &net("10.244.0.0/16"))
        .await
        .unwrap();
    assert_ne!(first, second);
    changes(&mut events).await;
    restarted.forget(&a, false).await.unwrap();
    changes(&mut events).await;

    // Nothing is read again and again.
    let before = etcd.requests();
    let more = timeout(Duration::from_secs(1), events.recv()).await;
    assert!(more.is_err(), "{more:?}");
    assert_eq!(etcd.requests(), before);
}

/// A burst of large changes is larger than one reply may be.
#[tokio::test]
async fn large_values_written_during_a_watch_are_rejected_records() {
    let etcd = Etcd::start();
    let registry = open(&conf(&[&etcd.endpoint()]));
    registry
        .register(&node("a"), &record(MACHINE, &[]))
        .await
        .unwrap();
    let mut events = registry.watch();
    let mut snapshot = reset(&mut events).await;
    let value = "x".repeat(LARGE);
    let client = etcd.client().await;
    let writes = (0..30).map(|n| {
        let (mut kv, value) = (client.kv_client(), value.clone());
        tokio::spawn(async move {
            kv.put(format!("/flatland/blue/nodes/big-{n}"), value, None)
                .await
        })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap().unwrap();
    }
    let all = async {
        while snapshot.rejected.len() < 30 {
            match events.recv().await.unwrap() {
                registry::RegistryEvent::Reset(new) => snapshot = new,
                registry::RegistryEvent::Changes { revision, changes } => {
                    snapshot.apply(revision, changes);
                }
                other => panic!("{other:?}"),
            }
        }
    };
    timeout(DEADLINE, all).await.unwrap();
    assert_eq!(snapshot.nodes.len(), 1);
}
