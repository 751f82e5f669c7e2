//! The reconciler on nodes whose way to a peer, or to pods, is by a gateway.

use crate::reconcile::tests::*;
use crate::rib::guest_gateway;

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
