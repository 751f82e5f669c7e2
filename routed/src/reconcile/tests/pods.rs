//! The reconciler with pods: their routes are put back while the pods exist.

use std::net::IpAddr;

use crate::reconcile::tests::*;

/// The route to 10.244.1.N over host interface 70 + N, with 192.168.1.SRC as its source.
fn pod(n: u8, src: u8) -> Route {
    Route {
        dev: Some(70 + u32::from(n)),
        src: Some([192, 168, 1, src].into()),
        ..Route::new(net(&format!("10.244.1.{n}/32")), RouteKind::Unicast)
    }
}

/// A node with two pods, of which only the first existed when the daemon started.
fn with_pods() -> (FakeKernel, Reconciler<FakeKernel>) {
    let (kernel, mut reconciler) = start(&[pod(5, 1)]);
    kernel.set_host_ends(&[75, 76]);
    reconciler.reset(registry(10, &[]));
    pass(&mut reconciler);
    kernel.add_route(pod(6, 1));
    reconciler.kernel_changed(NetlinkEvent::RouteAdded(pod(6, 1)), Instant::now());
    (kernel, reconciler)
}

const BOTH_PODS: [&str; 3] = [OWN_ROUTE, "10.244.1.5/32 foreign", "10.244.1.6/32 foreign"];

#[test]
fn pod_routes_lost_with_node_address_are_put_back() {
    let (kernel, mut reconciler) = with_pods();
    kernel.set_links(&eth0("192.168.1.8/24", true));
    for n in [5, 6] {
        kernel.remove_route(&format!("10.244.1.{n}/32"));
    }
    // The kernel sends an event for only one of them.
    reconciler.kernel_changed(NetlinkEvent::RouteRemoved(pod(6, 1)), Instant::now());
    let address = "192.168.1.8".parse().unwrap();
    reconciler.kernel_changed(NetlinkEvent::Address { link: 2, address }, Instant::now());
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), BOTH_PODS);
}

#[test]
fn pod_route_made_without_node_address_gets_a_source_later() {
    let (kernel, mut reconciler) = with_pods();
    kernel.set_links(&[]);
    let address = "192.168.1.1".parse().unwrap();
    for n in [5, 6] {
        kernel.remove_route(&format!("10.244.1.{n}/32"));
    }
    reconciler.kernel_changed(NetlinkEvent::Address { link: 2, address }, Instant::now());
    pass(&mut reconciler);
    assert!(reconciler.pods.values().all(|route| route.src.is_none()));
    let mut links = eth0("192.168.1.8/24", true);
    links[0].lasting = vec![[192, 168, 1, 8].into()];
    kernel.set_links(&links);
    reconciler.kernel_changed(NetlinkEvent::Address { link: 2, address }, Instant::now());
    pass(&mut reconciler);
    let expected = Some([192, 168, 1, 8].into());
    assert_eq!(reconciler.pods.len(), 2);
    assert!(reconciler.pods.values().all(|route| route.src == expected));
}

#[test]
fn deleted_pod_route_is_put_back_without_dump() {
    let (kernel, mut reconciler) = with_pods();
    let dumps = kernel.dumps();
    for n in [5, 6] {
        kernel.remove_route(&format!("10.244.1.{n}/32"));
        reconciler.kernel_changed(NetlinkEvent::RouteRemoved(pod(n, 1)), Instant::now());
    }
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), BOTH_PODS);
    assert_eq!(kernel.dumps(), dumps);
}

#[test]
fn pod_routes_lost_before_start_are_put_back() {
    let (kernel, mut reconciler) = with_pods();
    for n in [5, 6] {
        kernel.remove_route(&format!("10.244.1.{n}/32"));
    }
    let attached = |n: u8| (IpAddr::from([10, 244, 1, n]), 70 + u32::from(n));
    reconciler.add_known_pods(&[attached(5), attached(6)]);
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), BOTH_PODS);
}

#[test]
fn route_to_deleted_pod_is_not_put_back() {
    let (kernel, mut reconciler) = with_pods();
    kernel.set_host_ends(&[75]);
    let gone = |index| NetlinkEvent::Link { index, up: false };
    reconciler.kernel_changed(gone(76), Instant::now());
    reconciler.kernel_changed(NetlinkEvent::RouteRemoved(pod(6, 1)), Instant::now());
    assert!(!reconciler.is_dirty());
    // Another pod gets the address meanwhile, with another host interface.
    kernel.set_host_ends(&[75, 77]);
    let another = Route {
        dev: Some(77),
        ..pod(6, 1)
    };
    kernel.add_route(another.clone());
    reconciler.kernel_changed(NetlinkEvent::RouteAdded(another), Instant::now());
    reconciler.add_known_pods(&[(IpAddr::from([10, 244, 1, 5]), 75)]);
    kernel.set_host_ends(&[77]);
    pass(&mut reconciler);
    assert_eq!(kernel.route_texts(), [OWN_ROUTE, "10.244.1.6/32 foreign"]);
}
