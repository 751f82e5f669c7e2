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

use crate::kernel::NodeLink;

/// The routes to pods, by destination.
pub(crate) type PodRoutes = BTreeMap<IpNet, Route>;

/// The routes of `before` that are not in `now`, with another source address if theirs is gone too.
/// `links` are the node's.
pub(crate) fn lost(before: &PodRoutes, now: &PodRoutes, links: &[NodeLink]) -> Vec<Route> {
    let lost = before
        .values()
        .filter(|route| !now.contains_key(&route.dst));
    lost.map(|route| with_valid_source(route, links)).collect()
}

/// The route with a source address that the node has; the kernel refuses any other.
pub(crate) fn with_valid_source(route: &Route, links: &[NodeLink]) -> Route {
    let mut valid = route.clone();
    if is_orphan(route, links) {
        valid.src = source(route.dst.addr().is_ipv4(), links);
    }
    valid
}

/// Routes of `pods` that name no source address because the node had none of their family, now with
/// one.
pub(crate) fn completed(pods: &PodRoutes, links: &[NodeLink]) -> Vec<Route> {
    let without_source = pods.values().filter(|route| route.src.is_none());
    let complete = without_source.map(|route| Route {
        src: source(route.dst.addr().is_ipv4(), links),
        ..route.clone()
    });
    complete.filter(|route| route.src.is_some()).collect()
}

/// The route to a pod as the plugin makes it; `host_end` is the index of the pod's host interface.
pub(crate) fn route(address: IpAddr, host_end: u32, links: &[NodeLink]) -> Route {
    Route {
        dev: Some(host_end),
        src: source(address.is_ipv4(), links),
        ..Route::new(address.into(), RouteKind::Unicast)
    }
}

/// Whether a route names a source address that is on none of the node's links.
pub(crate) fn is_orphan(route: &Route, links: &[NodeLink]) -> bool {
    let mut own = links.iter().flat_map(|link| &link.addresses);
    route.src.is_some_and(|src| !own.any(|own| own.ip() == src))
}

/// A source address: one that stays, on a link that is up.
fn source(v4: bool, links: &[NodeLink]) -> Option<IpAddr> {
    let up_links = links.iter().filter(|link| link.up);
    let mut all = up_links.flat_map(|link| link.lasting.iter().copied());
    all.find(|address| address.is_ipv4() == v4)
}

#[cfg(test)]
mod tests;
