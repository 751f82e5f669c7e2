mod gateways;
mod kernel;
mod log_fields;
mod next_hops;
mod pods;
mod registry;

use ::registry::{Claim, Network, NodeRecord};
use wire::conf::CrossSubnet;
use wire::netlink::{NetlinkEvent, Route, RouteKind};

use super::*;
use crate::fib::fake_kernel::FakeKernel;

const OWN: &str = "10.244.1.0/24";

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn node(name: &str) -> NodeName {
    NodeName::new(name).unwrap()
}

fn network() -> Network {
    Network {
        pod_cidrs: vec![net("10.244.0.0/16")],
        subnet_lengths: vec![24],
    }
}

fn eth0(address: &str, up: bool) -> Vec<NodeLink> {
    vec![NodeLink {
        index: 2,
        name: "eth0".into(),
        up,
        running: up,
        addresses: vec![address.parse().unwrap()],
        lasting: Vec::new(),
    }]
}

fn record(address: &str) -> NodeRecord {
    NodeRecord {
        addresses: vec![address.parse().unwrap()],
        machine_id: "m".into(),
        session: None,
    }
}

/// Cluster 7 at `revision` with this node, n1, and each of `peers`: node nK at 192.168.1.K owns
/// 10.244.K.0/24.
fn registry(revision: i64, peers: &[u8]) -> Snapshot {
    let all = || [1].iter().chain(peers);
    Snapshot {
        revision,
        cluster: 7,
        network: Some(network()),
        nodes: all()
            .map(|n| (node(&format!("n{n}")), record(&format!("192.168.1.{n}"))))
            .collect(),
        subnets: all()
            .map(|n| {
                (
                    net(&format!("10.244.{n}.0/24")),
                    Claim {
                        node: node(&format!("n{n}")),
                    },
                )
            })
            .collect(),
        ..Snapshot::default()
    }
}

fn route_to_peer(n: u8) -> Route {
    Route {
        via: Some([192, 168, 1, n].into()),
        dev: Some(2),
        ..Route::new(net(&format!("10.244.{n}.0/24")), RouteKind::Unicast)
    }
}

fn released(n: u8) -> RegistryChange {
    RegistryChange::Subnet(net(&format!("10.244.{n}.0/24")), None)
}

/// A node on eth0 that owns [`OWN`], with the routes that an earlier daemon left in the kernel.
fn start(left_behind: &[Route]) -> (FakeKernel, Reconciler<FakeKernel>) {
    start_with(
        left_behind,
        LastSeen {
            cluster: Some(7),
            revision: 0,
        },
        &[],
    )
}

fn start_with(
    left_behind: &[Route],
    seen: LastSeen,
    held_before: &[&str],
) -> (FakeKernel, Reconciler<FakeKernel>) {
    let kernel = FakeKernel::default();
    kernel.set_links(&eth0("192.168.1.1/24", true));
    for route in left_behind {
        kernel.add_route(route.clone());
    }
    let held_before = held_before
        .iter()
        .map(|subnet| (net(subnet), None))
        .collect();
    let local_node = LocalNode::new(node("n1"), network(), CrossSubnet::Report);
    let mut reconciler = Reconciler::new(kernel.clone(), local_node, seen, &held_before).unwrap();
    reconciler.set_owned(&[net(OWN)], Some(7));
    (kernel, reconciler)
}

fn pass(reconciler: &mut Reconciler<FakeKernel>) {
    assert!(reconciler.is_dirty());
    reconciler.pass(Instant::now()).unwrap();
    assert!(!reconciler.is_dirty());
}

const OWN_ROUTE: &str = "10.244.1.0/24 unreachable";
const TO_N2: &str = "10.244.2.0/24 via 192.168.1.2";
const TO_N3: &str = "10.244.3.0/24 via 192.168.1.3";
