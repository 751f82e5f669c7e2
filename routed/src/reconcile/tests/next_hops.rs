//! What next hops follow event by event: routes without a gateway, and neighbours.

use std::time::Duration;

use super::*;

/// A registry in which n2 advertises these addresses.
fn with_addresses(addresses: &[&str]) -> Snapshot {
    let mut view = registry(1, &[2]);
    let record = NodeRecord {
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        machine_id: "m".into(),
        session: None,
    };
    view.nodes.insert(node("n2"), record);
    view
}

fn connected(dst: &str) -> Route {
    Route {
        dev: Some(2),
        protocol: 4,
        ..Route::new(net(dst), RouteKind::Unicast)
    }
}

#[test]
fn connected_route_is_followed_without_a_listing() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(with_addresses(&["192.168.5.2"]));
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE]);
    let (now, dumps) = (Instant::now(), kernel.dumps());

    // A listing would not show the route: only the events do.
    let route = connected("192.168.5.0/24");
    reconciler.kernel_changed(NetlinkEvent::RouteAdded(route.clone()), now);
    pass(&mut reconciler);
    let to_n2 = "10.244.2.0/24 via 192.168.5.2";
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, to_n2]);
    reconciler.kernel_changed(NetlinkEvent::RouteRemoved(route), now);
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE]);
    assert_eq!(kernel.dumps(), dumps);

    let elsewhere = connected("172.16.0.0/24");
    reconciler.kernel_changed(NetlinkEvent::RouteAdded(elsewhere), now);
    assert!(!reconciler.is_dirty());
}

#[test]
fn failed_neighbour_moves_the_route_until_it_answers() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(with_addresses(&["192.168.1.2", "192.168.1.102"]));
    pass(&mut reconciler);
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let event = |address: &str, answers| NetlinkEvent::Neighbour {
        link: 2,
        address: address.parse().unwrap(),
        answers,
    };

    reconciler.kernel_changed(event("192.168.1.77", false), at(0));
    reconciler.kernel_changed(event("192.168.1.2", true), at(0));
    assert!(!reconciler.is_dirty() && reconciler.silent_hops_due_at().is_none());
    reconciler.kernel_changed(event("192.168.1.2", false), at(0));
    pass(&mut reconciler);
    let to_other = "10.244.2.0/24 via 192.168.1.102";
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, to_other]);
    assert_eq!(reconciler.silent_hop_notices().count(), 1);

    reconciler.check_silent_hops(at(20));
    reconciler.kernel_changed(event("192.168.1.2", true), at(21));
    reconciler.check_silent_hops(at(29));
    assert!(!reconciler.is_dirty());
    reconciler.check_silent_hops(at(30));
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2]);
    assert_eq!(reconciler.silent_hop_notices().count(), 0);
}

#[test]
fn failed_neighbour_of_peer_with_one_address_changes_nothing() {
    let (kernel, mut reconciler) = start(&[]);
    reconciler.reset(with_addresses(&["192.168.1.2"]));
    pass(&mut reconciler);
    let event = NetlinkEvent::Neighbour {
        link: 2,
        address: "192.168.1.2".parse().unwrap(),
        answers: false,
    };
    reconciler.kernel_changed(event, Instant::now());
    assert!(!reconciler.is_dirty());
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, TO_N2]);
}
