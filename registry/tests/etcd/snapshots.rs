//! Snapshots of a real etcd, including large and damaged ones.

use etcd_client::{Txn, TxnOp};
use ipnet::IpNet;

use crate::support::etcd::Etcd;
use crate::support::{MACHINE, conf, conf_of, net, node, open, record};

const CONFIG: &str = r#"{"podCIDRs":["10.0.0.0/8"],"subnetLengths":[24]}"#;

/// Writes many keys with few requests.
async fn put_all(etcd: &Etcd, records: impl Iterator<Item = (String, String)>) {
    let mut client = etcd.client().await.kv_client();
    let puts: Vec<_> = records
        .map(|(key, value)| TxnOp::put(key, value, None))
        .collect();
    for some in puts.chunks(100) {
        client.txn(Txn::new().and_then(some)).await.unwrap();
    }
}

fn subnet(n: usize) -> String {
    format!("10.{}.{}.0", n / 256, n % 256)
}

#[tokio::test]
async fn snapshot_of_several_pages_is_complete_and_of_one_revision() {
    let etcd = Etcd::start();
    etcd.put("/flatland/blue/config", CONFIG).await;
    put_all(
        &etcd,
        (0..2500).map(|n| {
            let key = format!("/flatland/blue/subnets/{}-24", subnet(n));
            (key, format!(r#"{{"node":"node-{n}"}}"#))
        }),
    )
    .await;
    put_all(
        &etcd,
        (0..1500).map(|n| {
            let value = format!(r#"{{"addresses":["192.168.0.1"],"machineId":"{n}"}}"#);
            (format!("/flatland/blue/nodes/node-{n}"), value)
        }),
    )
    .await;
    etcd.put("/flatland/blues/config", "of another network")
        .await;
    let last = etcd.put("/flatland/blu", "neither").await;

    let registry = open(&conf_of(&[&etcd.endpoint()], &[("10.0.0.0/8", 24)]));
    let snapshot = registry.snapshot().await.unwrap();
    assert_eq!(snapshot.revision, last);
    assert_ne!(snapshot.cluster, 0);
    assert_eq!(snapshot.network.as_ref(), Some(registry.network()));
    assert_eq!(snapshot.nodes.len(), 1500);
    assert_eq!(snapshot.nodes[&node("node-1499")].machine_id, "1499");
    assert_eq!(snapshot.subnets.len(), 2500);
    for n in 0..2500 {
        let subnet: IpNet = format!("{}/24", subnet(n)).parse().unwrap();
        assert_eq!(snapshot.subnets[&subnet].node, node(&format!("node-{n}")));
    }
    assert!(snapshot.rejected.is_empty());
}

#[tokio::test]
async fn claim_sees_the_claims_beyond_the_first_page() {
    let etcd = Etcd::start();
    let conf = conf_of(&[&etcd.endpoint()], &[("10.0.0.0/11", 24)]);
    let free = 5311;
    put_all(
        &etcd,
        (0..8192).filter(|n| *n != free).map(|n| {
            let key = format!("/flatland/blue/subnets/{}-24", subnet(n));
            (key, r#"{"node":"other"}"#.to_owned())
        }),
    )
    .await;
    let registry = open(&conf);
    let claimed = registry
        .claim(&node("a"), MACHINE, &conf.pod_cidrs[0])
        .await
        .unwrap();
    assert_eq!(claimed.to_string(), format!("{}/24", subnet(free)));
    let error = registry
        .claim(&node("a"), MACHINE, &conf.pod_cidrs[0])
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("8191 by other, 1 by a"),
        "{error}"
    );
}

#[tokio::test]
async fn damaged_and_foreign_records_are_named_and_harmless() {
    let etcd = Etcd::start();
    etcd.put("/flatland/blue/config", CONFIG).await;
    let good = [
        (
            "nodes/a",
            r#"{"addresses":["192.168.1.20"],"machineId":"m","later":1}"#,
        ),
        ("subnets/10.1.1.0-24", r#"{"node":"a","later":{}}"#),
        ("presence/a", r#"{"session":"1","later":[]}"#),
    ];
    let bad = [
        ("nodes/b", "{"),
        ("nodes/C", r#"{"machineId":"m"}"#),
        (
            "nodes/d",
            r#"{"addresses":["192.168.1.300"],"machineId":"m"}"#,
        ),
        ("presence/b", "null"),
        ("subnets/10.1.2.0-24", ""),
        ("subnets/10.1.3.0-25", r#"{"node":"b"}"#),
        ("subnets/10.1.4.1-24", r#"{"node":"b"}"#),
        ("subnets/11.1.5.0-24", r#"{"node":"b"}"#),
        ("subnets/10.1.6.0-24", r#"{"node":"../b"}"#),
        ("subnets/fd00::-80", r#"{"node":"b"}"#),
        ("subnets/x", "x"),
        ("surprise", "x"),
        ("config/", "x"),
    ];
    for (name, value) in good.iter().chain(&bad) {
        etcd.put(&format!("/flatland/blue/{name}"), value).await;
    }
    let binary = b"/flatland/blue/nodes/\xff\xfe".to_vec();
    etcd.client()
        .await
        .kv_client()
        .put(binary, vec![0xff], None)
        .await
        .unwrap();

    let conf = conf_of(&[&etcd.endpoint()], &[("10.0.0.0/8", 24)]);
    let snapshot = open(&conf).snapshot().await.unwrap();
    assert_eq!(snapshot.nodes.len(), 1);
    assert_eq!(
        snapshot.nodes[&node("a")].addresses,
        record("", &["192.168.1.20"]).addresses
    );
    assert_eq!(
        snapshot.subnets.keys().copied().collect::<Vec<_>>(),
        [net("10.1.1.0/24")]
    );
    assert_eq!(snapshot.presence.len(), 1);
    let named: Vec<_> = snapshot.rejected.keys().map(String::as_str).collect();
    let mut expected: Vec<_> = bad.iter().map(|(name, _)| *name).collect();
    expected.push("nodes/\u{fffd}\u{fffd}");
    expected.sort_unstable();
    assert_eq!(named, expected);
}

#[tokio::test]
async fn unused_network_is_an_empty_snapshot() {
    let etcd = Etcd::start();
    let snapshot = open(&conf(&[&etcd.endpoint()])).snapshot().await.unwrap();
    assert_eq!(snapshot.network, None);
    assert!(snapshot.nodes.is_empty() && snapshot.subnets.is_empty());
}
