//! What the kernel does, and what it costs.

use std::net::IpAddr;

use crate::reconcile::tests::*;
use crate::rib::guest_gateway;

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
fn a_link_that_flaps_gets_its_routes_back() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2, 3]));
    pass(&mut reconciler);
    let link_event = |up| Event::Link { index: 2, up };
    kernel.set_links(&eth0("192.168.1.1/24", false));
    reconciler.kernel_changed(link_event(false));
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE]);
    kernel.set_links(&eth0("192.168.1.1/24", true));
    reconciler.kernel_changed(link_event(true));
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2, TO_N3]);
}

#[test]
fn the_route_that_guests_need_is_in_nobodys_place_and_goes_with_the_last_ipv4_subnet() {
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

    kernel.take(&GATEWAY.to_string());
    kernel.put(both[0].clone());
    reconciler.kernel_changed(Event::RouteRemoved(ours));
    pass(&mut reconciler);
    assert_eq!(kernel.to_gateway(), both, "after somebody deleted it");

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
fn a_node_that_is_itself_a_pod_keeps_the_routes_that_the_plugin_gave_it() {
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
    assert_eq!(kernel.shown(), [defaults[0], OWN_ROUTE, TO_N2, defaults[1]]);

    reconciler.kernel_changed(Event::RouteRemoved(default));
    assert!(!reconciler.is_dirty(), "whose it is puts it back");
}

#[test]
fn a_node_that_moves_to_another_network_gives_up_wrong_next_hops() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    kernel.set_links(&eth0("172.16.0.1/24", true));
    let address = "172.16.0.1".parse().unwrap();
    reconciler.kernel_changed(Event::Address { link: 2, address });
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
    let foreign = "10.244.2.0/24 via 192.168.1.9 foreign";
    let ours = "10.244.2.0/24 via 192.168.1.22";
    assert_eq!(kernel.shown(), [OWN_ROUTE, ours, foreign]);

    // What stands before ours would be the one to be replaced.
    kernel.take("10.244.2.0/24");
    kernel.put(Route {
        protocol: 4,
        via: Some([192, 168, 1, 9].into()),
        ..route_to_peer(2)
    });
    kernel.put(Route {
        via: Some([192, 168, 1, 22].into()),
        ..route_to_peer(2)
    });
    reconciler.change(
        12,
        vec![Change::Node(node("n2"), Some(record("192.168.1.23")))],
    );
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, foreign]);
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
fn what_comes_and_goes_with_pods_is_no_reason_for_anything() {
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
        Event::Link {
            index: 77,
            up: true,
        },
        Event::Address {
            link: 77,
            address: "fe80::7".parse().unwrap(),
        },
        Event::RouteAdded(pod.clone()),
        Event::Link {
            index: 77,
            up: false,
        },
        Event::RouteRemoved(pod),
        Event::RouteAdded(foreign.clone()),
        Event::RouteReplaced(foreign.clone()),
        Event::RouteRemoved(foreign),
    ] {
        reconciler.kernel_changed(event.clone());
        assert!(!reconciler.is_dirty(), "{event:?}");
    }
}

#[test]
fn a_route_that_somebody_deletes_adds_or_moves_is_put_right_and_deleting_costs_no_listing() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2, 3]));
    pass(&mut reconciler);
    let listings = kernel.listings();

    kernel.take("10.244.2.0/24");
    reconciler.kernel_changed(Event::RouteRemoved(route_to_peer(2)));
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2, TO_N3]);

    let stranger = route_to_peer(8);
    kernel.put(stranger.clone());
    reconciler.kernel_changed(Event::RouteAdded(stranger));
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2, TO_N3]);
    assert_eq!(kernel.listings(), listings);

    let moved = Route {
        via: Some([192, 168, 1, 77].into()),
        ..route_to_peer(3)
    };
    kernel.take("10.244.3.0/24");
    kernel.put(moved.clone());
    reconciler.kernel_changed(Event::RouteReplaced(moved));
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2, TO_N3]);
}

#[test]
fn lost_events_lead_to_a_listing() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    kernel.take("10.244.2.0/24");
    assert!(!reconciler.is_dirty());
    reconciler.kernel_changed(Event::Lost);
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2]);
}

#[test]
fn a_foreign_route_that_leaves_our_place_makes_room_at_once() {
    let (kernel, mut reconciler) = start(&[]);
    let foreign = Route {
        protocol: 4,
        via: Some([192, 168, 1, 9].into()),
        ..route_to_peer(2)
    };
    kernel.put(foreign.clone());
    reconciler.reset(registry(10, &[2]));
    pass(&mut reconciler);
    kernel.take("10.244.2.0/24");
    reconciler.kernel_changed(Event::RouteRemoved(foreign));
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2]);
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
fn a_peer_beyond_a_gateway_follows_the_nodes_own_route_to_it() {
    let kernel = FakeKernel::default();
    kernel.set_links(&eth0("192.168.1.1/24", true));
    kernel.put(default_route(254));
    let side = LocalNode::new(node("n1"), network(), CrossSubnet::Gateway);
    let (seen, firm) = (LastSeen::default(), Owners::new());
    let mut reconciler = Reconciler::new(kernel.clone(), side, seen, &firm).unwrap();
    reconciler.set_owned(&[net(OWN)], Some(7));
    let mut view = registry(10, &[2, 3]);
    view.nodes.insert(node("n3"), record("172.16.0.3"));
    reconciler.reset(view);
    pass(&mut reconciler);
    let (old, new) = ("192.168.1.254", "192.168.1.253");
    let to_n3 = |gateway| format!("10.244.3.0/24 via {gateway}");
    let default = |gateway| format!("0.0.0.0/0 via {gateway} foreign");
    assert_eq!(
        kernel.shown(),
        [&default(old), OWN_ROUTE, TO_N2, &to_n3(old)]
    );

    kernel.take("0.0.0.0/0");
    kernel.put(default_route(253));
    reconciler.kernel_changed(Event::RouteReplaced(default_route(253)));
    pass(&mut reconciler);
    assert_eq!(
        kernel.shown(),
        [&default(new), OWN_ROUTE, TO_N2, &to_n3(new)]
    );

    // Without a way the peer has no route, rather than a wrong one.
    kernel.take("0.0.0.0/0");
    reconciler.kernel_changed(Event::RouteRemoved(default_route(253)));
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, TO_N2]);
}

/// The route to 10.244.1.N, whose host end is link 70 + N, with 192.168.1.SRC as its source.
fn pod(n: u8, src: u8) -> Route {
    Route {
        dev: Some(70 + u32::from(n)),
        src: Some([192, 168, 1, src].into()),
        ..Route::new(net(&format!("10.244.1.{n}/32")), RouteKind::Unicast)
    }
}

/// A node with two pods of which only the first was there when the daemon started.
fn with_pods() -> (FakeKernel, Reconciler<FakeKernel>) {
    let (kernel, mut reconciler) = start(&[pod(5, 1)]);
    kernel.set_host_ends(&[75, 76]);
    reconciler.reset(registry(10, &[]));
    pass(&mut reconciler);
    kernel.put(pod(6, 1));
    reconciler.kernel_changed(Event::RouteAdded(pod(6, 1)));
    (kernel, reconciler)
}

const BOTH_PODS: [&str; 3] = [OWN_ROUTE, "10.244.1.5/32 foreign", "10.244.1.6/32 foreign"];

#[test]
fn routes_to_pods_that_go_with_the_nodes_address_are_put_back() {
    let (kernel, mut reconciler) = with_pods();
    kernel.set_links(&eth0("192.168.1.8/24", true));
    for n in [5, 6] {
        kernel.take(&format!("10.244.1.{n}/32"));
    }
    // Of some the kernel tells, of others it does not.
    reconciler.kernel_changed(Event::RouteRemoved(pod(6, 1)));
    let address = "192.168.1.8".parse().unwrap();
    reconciler.kernel_changed(Event::Address { link: 2, address });
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), BOTH_PODS);
}

#[test]
fn a_route_to_a_pod_that_somebody_deletes_is_put_back_without_a_listing() {
    let (kernel, mut reconciler) = with_pods();
    let listings = kernel.listings();
    for n in [5, 6] {
        kernel.take(&format!("10.244.1.{n}/32"));
        reconciler.kernel_changed(Event::RouteRemoved(pod(n, 1)));
    }
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), BOTH_PODS);
    assert_eq!(kernel.listings(), listings);
}

#[test]
fn routes_to_pods_that_went_while_nobody_looked_are_put_back() {
    let (kernel, mut reconciler) = with_pods();
    for n in [5, 6] {
        kernel.take(&format!("10.244.1.{n}/32"));
    }
    let attached = |n: u8| (IpAddr::from([10, 244, 1, n]), 70 + u32::from(n));
    reconciler.add_known_pods(&[attached(5), attached(6)]);
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), BOTH_PODS);
}

#[test]
fn the_route_to_a_pod_that_is_gone_stays_gone() {
    let (kernel, mut reconciler) = with_pods();
    kernel.set_host_ends(&[75]);
    let gone = |index| Event::Link { index, up: false };
    reconciler.kernel_changed(gone(76));
    reconciler.kernel_changed(Event::RouteRemoved(pod(6, 1)));
    assert!(!reconciler.is_dirty());
    // Another pod gets the address meanwhile, on a host end of its own.
    kernel.set_host_ends(&[75, 77]);
    let another = Route {
        dev: Some(77),
        ..pod(6, 1)
    };
    kernel.put(another.clone());
    reconciler.kernel_changed(Event::RouteAdded(another));
    reconciler.add_known_pods(&[(IpAddr::from([10, 244, 1, 5]), 75)]);
    kernel.set_host_ends(&[77]);
    pass(&mut reconciler);
    assert_eq!(kernel.shown(), [OWN_ROUTE, "10.244.1.6/32 foreign"]);
}
