//! Routes to this node's pods. The plugin makes them; `routed` puts a missing one back while its
//! pod exists. Pure.
//!
//! They name an address of the node as their source (`src`), for packets from the node itself. When
//! that address is removed, the kernel removes all IPv4 routes that name it (`fib_sync_down_addr`;
//! without an event before Linux 6.7). That would cut the pods off.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use wire::netlink::{Route, RouteKind};

use crate::kernel::Link;

/// The routes to pods, by destination.
pub(crate) type PodRoutes = BTreeMap<IpNet, Route>;

/// The routes of `before` that are not in `now`, with another source address if theirs is gone too.
/// `links` are the node's.
pub(crate) fn lost(before: &PodRoutes, now: &PodRoutes, links: &[Link]) -> Vec<Route> {
    let lost = before
        .values()
        .filter(|route| !now.contains_key(&route.dst));
    lost.map(|route| with_valid_source(route, links)).collect()
}

/// The route with a source address that the node has; the kernel refuses any other.
pub(crate) fn with_valid_source(route: &Route, links: &[Link]) -> Route {
    let mut valid = route.clone();
    if is_orphan(route, links) {
        valid.src = source(route.dst.addr().is_ipv4(), links);
    }
    valid
}

/// Routes of `pods` that name no source address because the node had none of their family, now with
/// one.
pub(crate) fn completed(pods: &PodRoutes, links: &[Link]) -> Vec<Route> {
    let without_source = pods.values().filter(|route| route.src.is_none());
    let complete = without_source.map(|route| Route {
        src: source(route.dst.addr().is_ipv4(), links),
        ..route.clone()
    });
    complete.filter(|route| route.src.is_some()).collect()
}

/// The route to a pod as the plugin makes it; `host_end` is the index of the pod's host interface.
pub(crate) fn route(address: IpAddr, host_end: u32, links: &[Link]) -> Route {
    Route {
        dev: Some(host_end),
        src: source(address.is_ipv4(), links),
        ..Route::new(address.into(), RouteKind::Unicast)
    }
}

/// Whether a route names a source address that is on none of the node's links.
pub(crate) fn is_orphan(route: &Route, links: &[Link]) -> bool {
    let mut own = links.iter().flat_map(|link| &link.addresses);
    route.src.is_some_and(|src| !own.any(|own| own.ip() == src))
}

/// A source address: one that stays, on a link that is up.
fn source(v4: bool, links: &[Link]) -> Option<IpAddr> {
    let up_links = links.iter().filter(|link| link.up);
    let mut all = up_links.flat_map(|link| link.lasting.iter().copied());
    all.find(|address| address.is_ipv4() == v4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods(routes: &[(&str, Option<&str>)]) -> PodRoutes {
        let route = |(dst, src): &(&str, Option<&str>)| Route {
            dev: Some(7),
            src: src.map(|src| src.parse().unwrap()),
            ..Route::new(dst.parse().unwrap(), RouteKind::Unicast)
        };
        let routes = routes.iter().map(route);
        routes.map(|route| (route.dst, route)).collect()
    }

    fn link(index: u32, up: bool, address: &str) -> Link {
        let address: ipnetwork::IpNetwork = address.parse().unwrap();
        Link {
            index,
            name: format!("eth{index}"),
            up,
            running: up,
            addresses: vec![address],
            lasting: vec![address.ip()],
        }
    }

    #[test]
    fn lost_pod_route_gets_a_valid_source_address() {
        let before = pods(&[
            ("10.244.1.2/32", Some("192.168.1.11")),
            ("10.244.1.3/32", Some("192.168.1.12")),
            ("10.244.1.4/32", None),
            ("10.244.1.5/32", Some("192.168.1.11")),
            ("fd00:10:244:1::2/128", None),
        ]);
        let now = pods(&[("10.244.1.5/32", Some("192.168.1.11"))]);
        let links = [
            link(2, false, "172.16.0.1/24"),
            link(3, true, "192.168.1.12/24"),
        ];
        let expected = pods(&[
            ("10.244.1.2/32", Some("192.168.1.12")),
            ("10.244.1.3/32", Some("192.168.1.12")),
            ("10.244.1.4/32", None),
            ("fd00:10:244:1::2/128", None),
        ]);
        let expected: Vec<_> = expected.into_values().collect();
        assert_eq!(lost(&before, &now, &links), expected);
        let without_source = lost(&before, &now, &[]);
        assert!(without_source.iter().all(|route| route.src.is_none()));
        assert_eq!(without_source.len(), 4);
    }

    #[test]
    fn route_without_source_gets_one_when_an_address_comes() {
        let known = pods(&[
            ("10.244.1.2/32", None),
            ("10.244.1.3/32", Some("192.168.1.12")),
            ("fd00:10:244:1::2/128", None),
        ]);
        let down = link(2, false, "172.16.0.1/24");
        assert_eq!(completed(&known, &[down]), []);
        let up = link(3, true, "192.168.1.12/24");
        let expected = pods(&[("10.244.1.2/32", Some("192.168.1.12"))]);
        let expected: Vec<_> = expected.into_values().collect();
        assert_eq!(completed(&known, &[up]), expected);
    }
}
