//! The reconciler with kernel events, and the number of dumps they cost.

use crate::reconcile::tests::*;

#[test]
fn peer_join_and_leave_cost_no_dump() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    let dumps = kernel.dumps();

    let claim = Claim { node: node("n3") };
    reconciler.change(
        11,
        vec![RegistryChange::Node(
            node("n3"),
            Some(record("192.168.1.3")),
        )],
    );
    reconciler.change(
        12,
        vec![RegistryChange::Subnet(net("10.244.3.0/24"), Some(claim))],
    );
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2, TO_N3]);

    reconciler.change(13, vec![released(2)]);
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N3]);
    assert_eq!(kernel.dumps(), dumps);
}

#[test]
fn peer_with_new_address_moves_its_route() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    reconciler.change(
        11,
        vec![RegistryChange::Node(
            node("n2"),
            Some(record("192.168.1.22")),
        )],
    );
    pass(&mut reconciler);
    assert_eq!(
        kernel.route_texts(),
        [OWN_ROUTE, "10.244.2.0/24 via 192.168.1.22"]
    );
}

#[test]
fn flapped_link_gets_its_routes_back() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2, 3]));
    pass(&mut reconciler);
    let link_event = |up| NetlinkEvent::Link { index: 2, up };
    kernel.set_links(&eth0("192.168.1.1/24", false));
    reconciler.kernel_changed(link_event(false), Instant::now());
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE]);
    kernel.set_links(&eth0("192.168.1.1/24", true));
    reconciler.kernel_changed(link_event(true), Instant::now());
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2, TO_N3]);
}

#[test]
fn node_with_new_address_removes_wrong_next_hops() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    kernel.set_links(&eth0("172.16.0.1/24", true));
    let address = "172.16.0.1".parse().unwrap();
    reconciler.kernel_changed(NetlinkEvent::Address { link: 2, address }, Instant::now());
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE]);
}

#[test]
fn failed_route_is_retried_when_due() {
    let (kernel, mut reconciler) = start(&[]);
    kernel.add_route(Route {
        protocol: 4,
        via: Some([192, 168, 1, 9].into()),
        ..route_to_peer(2)
    });
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    assert_eq!(
        kernel.route_texts()[1],
        "10.244.2.0/24 via 192.168.1.9 foreign"
    );
    let retry_at = reconciler.retry_at().unwrap();

    kernel.remove_route("10.244.2.0/24");
    reconciler.pass(retry_at).unwrap();
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2]);
    assert_eq!(reconciler.retry_at(), None);
}

#[test]
fn foreign_route_beside_ours_survives_moved_next_hop() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    // `ip route append` adds a second route with the same prefix and metric.
    kernel.add_route(Route {
        protocol: 4,
        via: Some([192, 168, 1, 9].into()),
        ..route_to_peer(2)
    });
    reconciler.change(
        11,
        vec![RegistryChange::Node(
            node("n2"),
            Some(record("192.168.1.22")),
        )],
    );
    pass(&mut reconciler);
    let foreign = "10.244.2.0/24 via 192.168.1.9 foreign";
    let ours = "10.244.2.0/24 via 192.168.1.22";
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, ours, foreign]);

    // A replace would hit the first route.
    kernel.remove_route("10.244.2.0/24");
    kernel.add_route(Route {
        protocol: 4,
        via: Some([192, 168, 1, 9].into()),
        ..route_to_peer(2)
    });
    kernel.add_route(Route {
        via: Some([192, 168, 1, 22].into()),
        ..route_to_peer(2)
    });
    reconciler.change(
        12,
        vec![RegistryChange::Node(
            node("n2"),
            Some(record("192.168.1.23")),
        )],
    );
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, foreign]);
    assert!(reconciler.retry_at().is_some());
}

#[test]
fn failed_pass_is_repeated() {
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
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2]);
}

#[test]
fn pod_events_cause_no_pass() {
    let (_, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    let pod = Route {
        dev: Some(77),
        ..Route::new(net("10.244.1.5/32"), RouteKind::Unicast)
    };
    let foreign = Route {
        protocol: 4,
        ..route_to_peer(99)
    };
    for event in [
        NetlinkEvent::Link {
            index: 77,
            up: true,
        },
        NetlinkEvent::Address {
            link: 77,
            address: "fe80::7".parse().unwrap(),
        },
        NetlinkEvent::RouteAdded(pod.clone()),
        NetlinkEvent::Link {
            index: 77,
            up: false,
        },
        NetlinkEvent::RouteRemoved(pod),
        NetlinkEvent::RouteAdded(foreign.clone()),
        NetlinkEvent::RouteReplaced(foreign.clone()),
        NetlinkEvent::RouteRemoved(foreign),
    ] {
        reconciler.kernel_changed(event.clone(), Instant::now());
        assert!(!reconciler.is_dirty(), "{event:?}");
    }
}

#[test]
fn externally_changed_route_is_repaired() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2, 3]));
    pass(&mut reconciler);
    let dumps = kernel.dumps();

    kernel.remove_route("10.244.2.0/24");
    reconciler.kernel_changed(NetlinkEvent::RouteRemoved(route_to_peer(2)), Instant::now());
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2, TO_N3]);

    let stranger = route_to_peer(8);
    kernel.add_route(stranger.clone());
    reconciler.kernel_changed(NetlinkEvent::RouteAdded(stranger), Instant::now());
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2, TO_N3]);
    assert_eq!(kernel.dumps(), dumps);

    let moved = Route {
        via: Some([192, 168, 1, 77].into()),
        ..route_to_peer(3)
    };
    kernel.remove_route("10.244.3.0/24");
    kernel.add_route(moved.clone());
    reconciler.kernel_changed(NetlinkEvent::RouteReplaced(moved), Instant::now());
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2, TO_N3]);
}

#[test]
fn lost_events_cause_a_dump() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    kernel.remove_route("10.244.2.0/24");
    assert!(!reconciler.is_dirty());
    reconciler.kernel_changed(NetlinkEvent::Lost, Instant::now());
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2]);
}

#[test]
fn removed_foreign_route_frees_place_at_once() {
    let (kernel, mut reconciler) = start(&[]);
    let foreign = Route {
        protocol: 4,
        via: Some([192, 168, 1, 9].into()),
        ..route_to_peer(2)
    };
    kernel.add_route(foreign.clone());
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    kernel.remove_route("10.244.2.0/24");
    reconciler.kernel_changed(NetlinkEvent::RouteRemoved(foreign), Instant::now());
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2]);
    assert_eq!(reconciler.retry_at(), None);
}
