//! The reconciler with registry snapshots and changes.

use crate::reconcile::tests::*;

#[test]
fn routes_before_first_snapshot_are_kept() {
    let (kernel, mut reconciler) = start(&[route_to_peer(2), route_to_peer(3)]);
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2, TO_N3]);
    assert!(!reconciler.is_settled());

    // Without etcd, a deleted route is put back too.
    kernel.remove_route("10.244.2.0/24");
    reconciler.kernel_changed(NetlinkEvent::RouteRemoved(route_to_peer(2)), Instant::now());
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2, TO_N3]);
}

#[test]
fn snapshot_adds_missing_and_prunes_stale_routes() {
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
    assert_eq!(kernel.route_texts(), expected);
    assert!(reconciler.is_settled());
}

#[test]
fn node_with_name_of_another_machine_keeps_its_route() {
    let to_the_other = Route {
        via: Some([192, 168, 1, 9].into()),
        ..route_to_peer(1)
    };
    let (kernel, mut reconciler) = start(&[to_the_other, route_to_peer(2)]);
    reconciler.set_owned(&[], None);
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    assert_eq!(
        kernel.route_texts(),
        ["10.244.1.0/24 via 192.168.1.9", TO_N2]
    );
    assert!(!reconciler.is_settled());
}

#[test]
fn peer_without_record_keeps_route_and_moved_peer_loses_it() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2, 3]));
    pass(&mut reconciler);
    reconciler.change(11, vec![RegistryChange::Node(node("n2"), None)]);
    reconciler.change(
        12,
        vec![RegistryChange::Node(node("n3"), Some(record("172.16.0.3")))],
    );
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2]);
}

#[test]
fn emptied_registry_withdraws_nothing() {
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
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2, TO_N3]);
    assert_eq!(reconciler.rib().held().len(), 2);

    // Own claims are back, peers are not: a snapshot that passes every check changes nothing.
    assert!(!reconciler.reset(registry(12, &[])));
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2, TO_N3]);

    // n2 is back and then leaves; n3 is still held.
    reconciler.change(
        13,
        vec![RegistryChange::Node(
            node("n2"),
            Some(record("192.168.1.2")),
        )],
    );
    let claim = Claim { node: node("n2") };
    reconciler.change(
        14,
        vec![RegistryChange::Subnet(net("10.244.2.0/24"), Some(claim))],
    );
    pass(&mut reconciler);
    reconciler.change(15, vec![released(2)]);
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N3]);
}

#[test]
fn registry_emptied_key_by_key_withdraws_nothing() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2, 3]));
    pass(&mut reconciler);
    assert!(reconciler.change(11, vec![released(1), released(2), released(3)]));
    reconciler.pass(Instant::now()).unwrap();
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2, TO_N3]);
}

#[test]
fn restored_backup_withdraws_nothing() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2, 3]));
    pass(&mut reconciler);
    reconciler.reset(registry(9, &[2]));
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2, TO_N3]);
    assert!(
        reconciler
            .rib()
            .held()
            .into_keys()
            .eq([net("10.244.3.0/24")])
    );
}

#[test]
fn registry_of_another_network_changes_nothing() {
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
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2]);
    assert!(!reconciler.is_settled());

    reconciler.reset(registry(12, &[2]));
    pass(&mut reconciler);
    reconciler.reset(other);
    reconciler.change(13, vec![released(2)]);
    assert!(!reconciler.is_dirty());
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2]);
}

#[test]
fn held_route_stays_held_after_restart() {
    let left = [route_to_peer(2), route_to_peer(3)];
    let seen = LastSeen {
        cluster: Some(7),
        revision: 5,
    };
    let (kernel, mut reconciler) = start_with(&left, seen, &["10.244.3.0/24"]);
    reconciler.reset(registry(10, &[]));
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N3]);
}

#[test]
fn route_outside_pod_cidrs_is_pruned_after_snapshot() {
    let elsewhere = Route {
        dst: net("10.9.0.0/24"),
        ..route_to_peer(2)
    };
    let (kernel, mut reconciler) = start(&[elsewhere]);
    pass(&mut reconciler);
    assert_eq!(
        kernel.route_texts().len(),
        2,
        "nothing goes before a snapshot"
    );
    reconciler.reset(registry(10, &[]));
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE]);
}

#[test]
fn claim_with_unreadable_value_keeps_its_route() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    let mut view = registry(11, &[]);
    view.unreadable.insert(net("10.244.2.0/24"));
    reconciler.reset(view);
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2]);
    reconciler.change(12, vec![released(2)]);
    reconciler.reset(registry(13, &[]));
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE]);
}

#[test]
fn gained_and_lost_own_subnet_changes_its_route() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[]));
    pass(&mut reconciler);
    let claim = Claim { node: node("n1") };
    let more = net("10.244.8.0/24");
    assert!(
        reconciler.change(11, vec![RegistryChange::Subnet(more, Some(claim))]),
        "not ours yet"
    );
    reconciler.set_owned(&[net(OWN), more], Some(7));
    pass(&mut reconciler);
    assert_eq!(
        kernel.route_texts(),
        [OWN_ROUTE, "10.244.8.0/24 unreachable"]
    );
    reconciler.set_owned(&[net(OWN)], Some(7));
    assert!(!reconciler.change(12, vec![released(8)]));
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE]);
}
