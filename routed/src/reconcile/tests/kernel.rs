//! The reconciler with kernel events, and the number of dumps they cost.

use crate::reconcile::tests::*;
use crate::rib::guest_gateway;

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
fn gateway_route_coexists_and_is_removed_with_last_subnet() {
    let foreign = Route {
        protocol: 3,
        dev: Some(2),
        ..Route::new(GATEWAY, RouteKind::Unicast)
    };
    let (kernel, mut reconciler) = start(std::slice::from_ref(&foreign));
    let ours = guest_gateway::route(GATEWAY, 2);
    let both = [foreign, ours.clone()];
    pass(&mut reconciler);
    assert_eq!(kernel.to_gateway(), both, "before the registry is seen");
    assert_eq!(reconciler.peer_route_count(), 0);
    assert!(reconciler.retries().all().next().is_none());

    kernel.remove_route(&GATEWAY.to_string());
    kernel.add_route(both[0].clone());
    reconciler.kernel_changed(NetlinkEvent::RouteRemoved(ours), Instant::now());
    pass(&mut reconciler);
    assert_eq!(
        kernel.to_gateway(),
        both,
        "after another program deleted it"
    );

    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    reconciler.reset(Snapshot::default());
    pass(&mut reconciler);
    assert_eq!(reconciler.rib().held().len(), 1, "n2's route alone is held");

    reconciler.reset(registry(11, &[2]));
    reconciler.set_owned(&[], Some(7));
    pass(&mut reconciler);
    assert_eq!(kernel.to_gateway(), both[..1]);
}

#[test]
fn node_that_is_a_pod_keeps_its_pod_routes() {
    let gateway = Route {
        dev: Some(2),
        ..Route::new(GATEWAY, RouteKind::Unicast)
    };
    let default = Route {
        via: Some(wire::GATEWAY_V4.into()),
        ..Route::new(net("0.0.0.0/0"), RouteKind::Unicast)
    };
    let default_v6 = Route {
        via: Some(wire::GATEWAY_V6.into()),
        ..Route::new(net("::/0"), RouteKind::Unicast)
    };
    let given = [gateway.clone(), default.clone(), default_v6];
    let (kernel, mut reconciler) = start(&given);
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    let ours = guest_gateway::route(GATEWAY, 2);
    assert_eq!(kernel.to_gateway(), [gateway, ours]);
    let defaults = [
        "0.0.0.0/0 via 169.254.1.1 foreign",
        "::/0 via fe80::1 foreign",
    ];
    assert_eq!(
        kernel.route_texts(),
        [defaults[0], OWN_ROUTE, TO_N2, defaults[1]]
    );

    reconciler.kernel_changed(NetlinkEvent::RouteRemoved(default), Instant::now());
    assert!(!reconciler.is_dirty(), "whose it is puts it back");
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

/// The default route of eth0, through 192.168.1.N.
fn default_route(n: u8) -> Route {
    Route {
        protocol: 3,
        dst: net("0.0.0.0/0"),
        ..route_to_peer(n)
    }
}

#[test]
fn peer_behind_gateway_follows_route_to_its_address() {
    let kernel = FakeKernel::default();
    kernel.set_links(&eth0("192.168.1.1/24", true));
    kernel.add_route(default_route(254));
    let local_node = LocalNode::new(node("n1"), network(), CrossSubnet::Gateway);
    let (seen, held_before) = (LastSeen::default(), Owners::new());
    let mut reconciler = Reconciler::new(kernel.clone(), local_node, seen, &held_before).unwrap();
    reconciler.set_owned(&[net(OWN)], Some(7));
    let mut view = registry(10, &[2, 3]);
    view.nodes.insert(node("n3"), record("172.16.0.3"));
    reconciler.reset(view);
    pass(&mut reconciler);
    let (old, new) = ("192.168.1.254", "192.168.1.253");
    let to_n3 = |gateway| format!("10.244.3.0/24 via {gateway}");
    let default = |gateway| format!("0.0.0.0/0 via {gateway} foreign");
    assert_eq!(
        kernel.route_texts(),
        [&default(old), OWN_ROUTE, TO_N2, &to_n3(old)]
    );

    kernel.remove_route("0.0.0.0/0");
    kernel.add_route(default_route(253));
    reconciler.kernel_changed(
        NetlinkEvent::RouteReplaced(default_route(253)),
        Instant::now(),
    );
    pass(&mut reconciler);
    assert_eq!(
        kernel.route_texts(),
        [&default(new), OWN_ROUTE, TO_N2, &to_n3(new)]
    );

    // Without a gateway the peer has no route, rather than a wrong one.
    kernel.remove_route("0.0.0.0/0");
    reconciler.kernel_changed(
        NetlinkEvent::RouteRemoved(default_route(253)),
        Instant::now(),
    );
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2]);
}
