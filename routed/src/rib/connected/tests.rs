use wire::netlink::RouteKind;

use super::*;
use crate::kernel::NodeLink;

impl ConnectedRoutes {
    /// Those of links with their prefix routes.
    pub(crate) fn of(links: &[NodeLink]) -> Self {
        Self::new(&prefix_routes(links))
    }
}

/// The prefix routes that the kernel makes for the addresses of links that are up.
pub(crate) fn prefix_routes(links: &[NodeLink]) -> Vec<Route> {
    let up = links
        .iter()
        .filter(|link| link.up && link.index != LOOPBACK);
    let of = |link: &NodeLink| {
        let dev = Some(link.index);
        let own = link.addresses.clone().into_iter();
        let wide = own.filter(|own| own.prefix() < if own.is_ipv4() { 32 } else { 128 });
        wide.map(move |own| {
            let dst = IpNet::new(own.ip(), own.prefix()).unwrap().trunc();
            connected(dst, dev)
        })
    };
    up.flat_map(of).collect()
}

fn connected(dst: IpNet, dev: Option<u32>) -> Route {
    Route {
        dev,
        protocol: 2,
        ..Route::new(dst, RouteKind::Unicast)
    }
}

fn route(text: &str, dev: u32) -> Route {
    connected(text.parse().unwrap(), Some(dev))
}

fn links_to(connected: &ConnectedRoutes, address: &str) -> Vec<u32> {
    let address = address.parse().unwrap();
    connected.containing(address).map(|it| it.dev).collect()
}

#[test]
fn only_foreign_routes_without_gateway_connect() {
    let other = |change: fn(&mut Route)| {
        let mut route = route("192.168.5.0/24", 2);
        change(&mut route);
        route
    };
    for (route, expected) in [
        (other(|_| {}), true),
        (other(|route| route.protocol = 4), true),
        (other(|route| route.metric = Some(100)), true),
        (other(|route| route.protocol = ROUTE_PROTOCOL), false),
        (other(|route| route.via = "192.168.1.1".parse().ok()), false),
        (other(|route| route.kind = RouteKind::Unreachable), false),
        (other(|route| route.kind = RouteKind::Other), false),
        (other(|route| route.dev = Some(LOOPBACK)), false),
        (
            other(|route| route.dst = "0.0.0.0/0".parse().unwrap()),
            false,
        ),
    ] {
        let found = !links_to(
            &ConnectedRoutes::new(std::slice::from_ref(&route)),
            "192.168.5.7",
        )
        .is_empty();
        assert_eq!(found, expected, "{route:?}");
    }
    let link_local = ConnectedRoutes::new(&[route("fe80::/64", 2)]);
    assert_eq!(link_local, ConnectedRoutes::default());
}

#[test]
fn longest_prefix_comes_first_then_the_smallest_metric() {
    let metric = |route, metric| Route {
        metric: Some(metric),
        ..route
    };
    let all = ConnectedRoutes::new(&[
        route("192.168.0.0/16", 2),
        metric(route("192.168.1.0/24", 3), 200),
        metric(route("192.168.1.0/24", 4), 100),
        route("fd00:1::/64", 5),
        metric(route("fd00:1::/64", 6), 512),
    ]);
    assert_eq!(links_to(&all, "192.168.1.7"), [4, 3, 2]);
    // An IPv6 route without a metric has 1024.
    assert_eq!(links_to(&all, "fd00:1::7"), [6, 5]);
}

#[test]
fn connected_routes_follow_events() {
    let mut all = ConnectedRoutes::new(&[route("192.168.1.0/24", 2)]);
    assert!(!all.add(&route("192.168.1.0/24", 2)));
    assert!(all.add(&route("192.168.5.0/24", 3)));
    assert_eq!(links_to(&all, "192.168.5.7"), [3]);
    assert!(!all.replace(&route("192.168.5.0/24", 3)));
    assert!(all.replace(&route("192.168.5.0/24", 4)));
    assert_eq!(links_to(&all, "192.168.5.7"), [4]);
    let mut through = route("192.168.5.0/24", 2);
    through.via = "192.168.1.1".parse().ok();
    assert!(all.replace(&through));
    assert_eq!(links_to(&all, "192.168.5.7"), [0; 0]);
    assert!(!all.remove(&route("192.168.5.0/24", 4)));
    assert!(all.remove_link(2) && !all.remove_link(2));
}
