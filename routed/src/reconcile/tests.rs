use registry::{Claim, NodeRecord};
use wire::netlink::{Route, RouteKind};

use super::*;
use crate::fib::twin::Twin;

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

fn eth0(address: &str, up: bool) -> Vec<Link> {
    vec![Link {
        index: 2,
        name: "eth0".into(),
        up,
        addresses: vec![address.parse().unwrap()],
    }]
}

fn record(address: &str) -> NodeRecord {
    NodeRecord {
        addresses: vec![address.parse().unwrap()],
        machine_id: "m".into(),
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

fn released(n: u8) -> Change {
    Change::Subnet(net(&format!("10.244.{n}.0/24")), None)
}

/// A node on eth0 that owns [`OWN`], with what a daemon before it left in the kernel.
fn start(left_behind: &[Route]) -> (Twin, Reconciler<Twin>) {
    start_with(
        left_behind,
        Seen {
            cluster: Some(7),
            revision: 0,
        },
        &[],
    )
}

fn start_with(left_behind: &[Route], seen: Seen, firm: &[&str]) -> (Twin, Reconciler<Twin>) {
    let kernel = Twin::default();
    kernel.set_links(&eth0("192.168.1.1/24", true));
    for route in left_behind {
        kernel.put(route.clone());
    }
    let firm = firm.iter().map(|subnet| (net(subnet), None)).collect();
    let mut reconciler =
        Reconciler::new(kernel.clone(), node("n1"), network(), seen, &firm).unwrap();
    reconciler.own(&[net(OWN)], Some(7));
    (kernel, reconciler)
}

fn pass(reconciler: &mut Reconciler<Twin>) {
    assert!(reconciler.is_dirty());
    reconciler.pass(Instant::now()).unwrap();
    assert!(!reconciler.is_dirty());
}

const OWN_ROUTE: &str = "10.244.1.0/24 unreachable";
const TO_N2: &str = "10.244.2.0/24 via 192.168.1.2";
const TO_N3: &str = "10.244.3.0/24 via 192.168.1.3";

#[test]
fn before_the_first_snapshot_nothing_goes_and_the_own_subnet_is_served() {
    let (kernel, mut reconciler) = start(&[route_to_peer(2), route_to_peer(3)]);
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2, TO_N3]);
    assert!(!reconciler.is_settled());

    // With etcd away, a route that somebody deletes comes back all the same.
    kernel.take("10.244.2.0/24");
    reconciler.kernel_changed(Topics {
        routes: true,
        ..Topics::default()
    });
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2, TO_N3]);
}

#[test]
fn a_snapshot_brings_what_is_missing_and_prunes_exactly_what_is_stale() {
    let foreign = Route {
        protocol: 4,
        ..route_to_peer(9)
    };
    let pod = Route {
        dev: Some(2),
        ..Route::new(net("10.244.1.5/32"), RouteKind::Unicast)
    };
    let (kernel, mut reconciler) = start(&[route_to_peer(3), route_to_peer(4), foreign, pod]);
    assert!(!reconciler.reset(registry(10, &[2, 3])));
    pass(&mut reconciler);
    let others = [
        "10.244.1.5/32 foreign",
        "10.244.9.0/24 via 192.168.1.9 foreign",
    ];
    let mut expected = vec![OWN_ROUTE, TO_N2, TO_N3];
    expected.extend(others);
    expected.sort_unstable();
    assert_eq!(kernel.shown(), expected);
    assert!(reconciler.is_settled());
}

#[test]
fn a_node_under_the_name_of_another_machine_takes_no_route_away() {
    let to_the_other = Route {
        via: Some([192, 168, 1, 9].into()),
        ..route_to_peer(1)
    };
    let (kernel, mut reconciler) = start(&[to_the_other, route_to_peer(2)]);
    reconciler.own(&[], None);
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), ["10.244.1.0/24 via 192.168.1.9", TO_N2]);
    assert!(!reconciler.is_settled());
}

#[test]
fn a_peer_that_joins_and_one_that_leaves_cost_no_listing() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    let listings = kernel.listings();

    let claim = Claim { node: node("n3") };
    reconciler.change(
        11,
        vec![Change::Node(node("n3"), Some(record("192.168.1.3")))],
    );
    reconciler.change(12, vec![Change::Subnet(net("10.244.3.0/24"), Some(claim))]);
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2, TO_N3]);

    reconciler.change(13, vec![released(2)]);
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N3]);
    assert_eq!(kernel.listings(), listings);
}

#[test]
fn a_peer_that_moves_takes_its_route_along() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    reconciler.change(
        11,
        vec![Change::Node(node("n2"), Some(record("192.168.1.22")))],
    );
    pass(&mut reconciler);
    assert_eq!(
        kernel.shown(),
        [OWN_ROUTE, "10.244.2.0/24 via 192.168.1.22"]
    );
}

#[test]
fn a_peer_whose_record_went_keeps_its_route_and_one_that_is_elsewhere_loses_it() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2, 3]));
    pass(&mut reconciler);
    reconciler.change(11, vec![Change::Node(node("n2"), None)]);
    reconciler.change(
        12,
        vec![Change::Node(node("n3"), Some(record("172.16.0.3")))],
    );
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2]);
}

#[test]
fn a_link_that_flaps_gets_its_routes_back() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2, 3]));
    pass(&mut reconciler);
    let link_event = Topics {
        links: true,
        ..Topics::default()
    };
    kernel.set_links(&eth0("192.168.1.1/24", false));
    reconciler.kernel_changed(link_event);
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE]);
    kernel.set_links(&eth0("192.168.1.1/24", true));
    reconciler.kernel_changed(link_event);
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2, TO_N3]);
}

#[test]
fn a_node_that_moves_to_another_network_gives_up_wrong_next_hops() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    kernel.set_links(&eth0("172.16.0.1/24", true));
    reconciler.kernel_changed(Topics {
        addresses: true,
        ..Topics::default()
    });
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE]);
}

#[test]
fn an_emptied_registry_withdraws_nothing_until_peers_are_back_and_leave() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2, 3]));
    pass(&mut reconciler);

    let wiped = Snapshot {
        revision: 11,
        cluster: 7,
        ..Snapshot::default()
    };
    assert!(
        reconciler.reset(wiped),
        "own claims are to be published again"
    );
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2, TO_N3]);
    assert_eq!(reconciler.peers().held().len(), 2);

    // Own claims are back, peers are not: a snapshot that passes every check changes nothing.
    assert!(!reconciler.reset(registry(12, &[])));
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2, TO_N3]);

    // n2 is back and leaves for good; n3 is still held.
    reconciler.change(
        13,
        vec![Change::Node(node("n2"), Some(record("192.168.1.2")))],
    );
    let claim = Claim { node: node("n2") };
    reconciler.change(14, vec![Change::Subnet(net("10.244.2.0/24"), Some(claim))]);
    pass(&mut reconciler);
    reconciler.change(15, vec![released(2)]);
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N3]);
}

#[test]
fn a_registry_emptied_key_by_key_withdraws_nothing() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2, 3]));
    pass(&mut reconciler);
    assert!(reconciler.change(11, vec![released(1), released(2), released(3)]));
    reconciler.pass(Instant::now()).unwrap();
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2, TO_N3]);
}

#[test]
fn a_restored_backup_withdraws_nothing() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2, 3]));
    pass(&mut reconciler);
    reconciler.reset(registry(9, &[2]));
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2, TO_N3]);
    assert!(
        reconciler
            .peers()
            .held()
            .into_keys()
            .eq([net("10.244.3.0/24")])
    );
}

#[test]
fn another_networks_registry_brings_nothing_and_takes_nothing() {
    let other = Snapshot {
        network: Some(Network {
            pod_cidrs: vec![net("10.0.0.0/8")],
            subnet_lengths: vec![24],
        }),
        ..registry(11, &[3, 4])
    };
    let (kernel, mut reconciler) = start(&[route_to_peer(2)]);
    assert!(
        reconciler.reset(other.clone()),
        "joining finds out and says so"
    );
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2]);
    assert!(!reconciler.is_settled());

    reconciler.reset(registry(12, &[2]));
    pass(&mut reconciler);
    reconciler.reset(other);
    reconciler.change(13, vec![released(2)]);
    assert!(!reconciler.is_dirty());
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2]);
}

#[test]
fn what_was_held_before_a_restart_is_held_after_it() {
    let left = [route_to_peer(2), route_to_peer(3)];
    let seen = Seen {
        cluster: Some(7),
        revision: 5,
    };
    let (kernel, mut reconciler) = start_with(&left, seen, &["10.244.3.0/24"]);
    reconciler.reset(registry(10, &[]));
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N3]);
}

#[test]
fn routes_outside_the_pod_cidrs_are_stale_whatever_the_registry_is() {
    let elsewhere = Route {
        dst: net("10.9.0.0/24"),
        ..route_to_peer(2)
    };
    let (kernel, mut reconciler) = start(&[elsewhere]);
    pass(&mut reconciler);
    assert_eq!(kernel.shown().len(), 2, "nothing goes before a snapshot");
    reconciler.reset(registry(10, &[]));
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE]);
}

#[test]
fn a_claim_whose_value_became_unreadable_keeps_its_route() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    let mut view = registry(11, &[]);
    let key = "subnets/10.244.2.0-24".to_owned();
    view.rejected.insert(key, "not JSON".to_owned());
    reconciler.reset(view);
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2]);
    reconciler.change(12, vec![released(2)]);
    reconciler.reset(registry(13, &[]));
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE]);
}

#[test]
fn a_route_that_fails_is_tried_again_when_its_time_comes() {
    let (kernel, mut reconciler) = start(&[]);
    kernel.put(Route {
        protocol: 4,
        via: Some([192, 168, 1, 9].into()),
        ..route_to_peer(2)
    });
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    assert_eq!(kernel.shown()[1], "10.244.2.0/24 via 192.168.1.9 foreign");
    let retry_at = reconciler.retry_at().unwrap();

    kernel.take("10.244.2.0/24");
    reconciler.pass(retry_at).unwrap();
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2]);
    assert_eq!(reconciler.retry_at(), None);
}

#[test]
fn a_foreign_route_beside_one_of_ours_survives_a_moved_next_hop() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    // `ip route append` puts a second route into the same place.
    kernel.put(Route {
        protocol: 4,
        via: Some([192, 168, 1, 9].into()),
        ..route_to_peer(2)
    });
    reconciler.change(
        11,
        vec![Change::Node(node("n2"), Some(record("192.168.1.22")))],
    );
    pass(&mut reconciler);
    assert_eq!(
        kernel.shown(),
        [OWN_ROUTE, "10.244.2.0/24 via 192.168.1.9 foreign"]
    );
    assert!(reconciler.retry_at().is_some());
}

#[test]
fn a_pass_that_fails_as_a_whole_is_made_up_for() {
    let (kernel, mut reconciler) = start(&[]);
    pass(&mut reconciler);
    reconciler.reset(registry(10, &[2]));
    for failures in 1..4 {
        kernel.fail(failures);
        reconciler.resync();
        while reconciler.pass(Instant::now()).is_err() {
            assert!(reconciler.is_dirty());
        }
    }
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2]);
}

#[test]
fn a_subnet_that_the_node_gains_and_loses_changes_its_route() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[]));
    pass(&mut reconciler);
    let claim = Claim { node: node("n1") };
    let more = net("10.244.8.0/24");
    assert!(
        reconciler.change(11, vec![Change::Subnet(more, Some(claim))]),
        "not ours yet"
    );
    reconciler.own(&[net(OWN), more], Some(7));
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, "10.244.8.0/24 unreachable"]);
    reconciler.own(&[net(OWN)], Some(7));
    assert!(!reconciler.change(12, vec![released(8)]));
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE]);
}
