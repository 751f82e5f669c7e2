//! A whole cluster that starts in the same second.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use registry::owned::NodeClaims;
use registry::{Policy, Registry};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tracing::instrument::WithSubscriber;

use crate::support::etcd::Etcd;
use crate::support::tally::Tally;
use crate::support::{all_differ, conf_of, net, node};

const NODES: usize = 500;

/// In a real cluster, each node has its own processor. Here all nodes share one thread, which may
/// process a reply minutes after it came.
const TEST_TIMEOUT: Duration = Duration::from_secs(300);

/// The pools have 512 subnets, so that the last nodes choose among a dozen and do collide.
const POOLS: [(&str, u8); 2] = [("10.244.0.0/15", 24), ("fd00::/71", 80)];

/// Per node: half of the attempts after which it gives up. If all remaining nodes chose again at
/// the same moment each time, more than a third of them would succeed, and the last of five hundred
/// would need about 15 attempts.
const MAX_REQUESTS: u64 = 25;

fn patient_policy() -> Policy {
    Policy {
        connect_timeout: TEST_TIMEOUT,
        request_timeout: TEST_TIMEOUT,
        operation_timeout: TEST_TIMEOUT,
        keep_alive_timeout: TEST_TIMEOUT,
        ..Policy::daemon()
    }
}

/// Starts all nodes, each with its own connection, folder and machine id. Returns the subnets of
/// each node, and how many requests it made.
async fn start_at_once(etcd: &Etcd) -> Vec<(Vec<IpNet>, u64)> {
    let conf = Arc::new(conf_of(&[&etcd.endpoint()], &POOLS));
    let (folder, start) = (tempfile::tempdir().unwrap(), Arc::new(Barrier::new(NODES)));
    let mut nodes = JoinSet::new();
    for n in 0..NODES {
        let (conf, start) = (Arc::clone(&conf), Arc::clone(&start));
        let folder = folder.path().join(n.to_string());
        let tally = Tally::default();
        let log = tally.clone();
        let join = async move {
            let registry = Registry::open_with(&conf, &folder, patient_policy());
            let (name, machine) = (node(&format!("node-{n}")), format!("{n:032x}"));
            start.wait().await;
            let claims = NodeClaims {
                registry: &registry,
                folder: &folder,
                node: &name,
                machine: &machine,
            };
            let owned = claims.ensure(&conf).await;
            (owned.unwrap().subnets, tally.requests())
        };
        nodes.spawn(join.with_subscriber(log));
    }
    nodes.join_all().await
}

#[tokio::test]
async fn five_hundred_starting_nodes_need_few_requests_each() {
    let etcd = Etcd::start();
    let nodes = start_at_once(&etcd).await;

    let subnets: Vec<_> = nodes.iter().flat_map(|(owned, _)| owned).copied().collect();
    assert_eq!(subnets.len(), 2 * NODES);
    assert!(all_differ(&subnets));
    for (pod_cidr, length) in POOLS {
        let of_this = subnets
            .iter()
            .filter(|subnet| subnet.prefix_len() == length && net(pod_cidr).contains(*subnet));
        assert_eq!(of_this.count(), NODES);
    }

    let requests = nodes.iter().map(|(_, requests)| requests);
    let (total, worst): (u64, u64) = (requests.clone().sum(), *requests.max().unwrap());
    assert_eq!(total, etcd.requests(), "etcd counts the same number");
    // Two without contention, and one per lost race.
    assert!(total <= 6 * u64::try_from(NODES).unwrap(), "{total}");
    assert!(worst <= MAX_REQUESTS, "{worst}");
}
