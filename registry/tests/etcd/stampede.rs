//! A whole cluster that starts in the same second.

use std::sync::Arc;
use std::time::Duration;

use registry::{Policy, Registry, owned};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::etcd::Etcd;
use crate::support::{all_differ, conf_of, net, node};

const NODES: usize = 500;

/// Each node with a connection, a folder and a machine id of its own, as it would be. The pools have 512 subnets, so that the last nodes choose
/// among a dozen and do meet.
#[tokio::test]
async fn five_hundred_nodes_that_start_at_once_own_different_subnets_for_a_few_requests_each() {
    let etcd = Etcd::start();
    let conf = Arc::new(conf_of(
        &[&etcd.endpoint()],
        &[("10.244.0.0/15", 24), ("fd00::/71", 80)],
    ));
    let (folder, start) = (tempfile::tempdir().unwrap(), Arc::new(Barrier::new(NODES)));
    let mut nodes = JoinSet::new();
    for n in 0..NODES {
        let (conf, start) = (Arc::clone(&conf), Arc::clone(&start));
        let folder = folder.path().join(n.to_string());
        nodes.spawn(async move {
            // As `routed` does: an etcd that five hundred ask at once takes its time.
            let registry = Registry::open_with(&conf, &folder, Policy::daemon()).unwrap();
            let (name, machine) = (node(&format!("node-{n}")), format!("{n:032x}"));
            start.wait().await;
            owned::ensure(&registry, &folder, &name, &machine, &conf)
                .await
                .unwrap()
        });
    }
    let owned = timeout(Duration::from_secs(300), nodes.join_all())
        .await
        .expect("all nodes get their subnets");
    let requests = etcd.requests();

    let subnets: Vec<_> = owned.into_iter().flat_map(|owned| owned.subnets).collect();
    assert_eq!(subnets.len(), 2 * NODES);
    assert!(all_differ(&subnets));
    for (pod_cidr, length) in [("10.244.0.0/15", 24), ("fd00::/71", 80)] {
        let of_this = subnets
            .iter()
            .filter(|subnet| subnet.prefix_len() == length && net(pod_cidr).contains(*subnet));
        assert_eq!(of_this.count(), NODES);
    }
    // Two when nobody interferes, and one for each race lost.
    let most = 6 * u64::try_from(NODES).unwrap();
    assert!(requests <= most, "{requests} requests of {NODES} nodes");
}
