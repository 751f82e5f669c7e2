//! Routes of other programs to peers on other IP subnets (`"crossSubnet": "gateway"`). Pure.
//!
//! The subnets of a peer that is on no link of this node follow the route to its address, because
//! the routers on the way know the pod CIDRs. Routes with our own protocol number, and routes whose
//! gateway is in a pod CIDR, are never used for that: such a route would lead over itself.

use std::cmp::Reverse;
use std::net::IpAddr;

use ipnet::IpNet;
use wire::ROUTE_PROTOCOL;
use wire::netlink::{NextHop, Route, RouteKind};

use crate::kernel::NodeLink;
use crate::rib::path::RoutePath;

/// The routes of other programs, in the order in which the kernel prefers them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CrossSubnetRoutes {
    routes: Vec<Route>,
}

impl CrossSubnetRoutes {
    /// Selects and sorts the `routes` of the main table.
    pub(crate) fn new(mut routes: Vec<Route>, pod_cidrs: &[IpNet]) -> Self {
        let in_pods = |route: &Route| pod_cidrs.iter().any(|cidr| cidr.contains(&route.dst));
        routes.retain(|route| route.protocol != ROUTE_PROTOCOL && !in_pods(route));
        let into_pods = |via| pod_cidrs.iter().any(|cidr| cidr.contains(&via));
        for route in &mut routes {
            let mut hops = route.next_hops();
            hops.retain(|hop| hop.via.is_some_and(into_pods));
            route.hops.retain(|hop| !hops.contains(hop));
            if route.hops.is_empty() && !hops.is_empty() {
                // The kernel still prefers this route, but it is no path to a peer.
                route.kind = RouteKind::Other;
            }
        }
        routes.sort_by_key(|route| (Reverse(route.dst.prefix_len()), route.preference()));
        routes.shrink_to_fit();
        Self { routes }
    }

    /// The path to `address`: of the routes to it, the longest prefix first, then the smallest
    /// metric, the first next hop that works. If none does, the first of all. `links` are the node's.
    pub(crate) fn path_to(&self, address: IpAddr, links: &[NodeLink]) -> Option<RoutePath> {
        let mut first = None;
        for route in self.routes.iter().filter(|it| it.dst.contains(&address)) {
            let hops = route.next_hops();
            if hops.is_empty() {
                // Unreachable, for example: the kernel looks no further.
                break;
            }
            if let Some(hop) = hops.iter().find(|hop| works(hop, links)) {
                return Some(path(hop, address));
            }
            first = first.or_else(|| hops.first().map(|hop| path(hop, address)));
        }
        first
    }
}

/// Whether packets can leave by the next hop: its link exists, is up and has a carrier.
fn works(hop: &NextHop, links: &[NodeLink]) -> bool {
    let link = links.iter().find(|link| link.index == hop.dev);
    hop.alive && link.is_some_and(|link| link.up && link.running)
}

fn path(hop: &NextHop, address: IpAddr) -> RoutePath {
    let (gateway, dev) = (hop.via.unwrap_or(address), hop.dev);
    if hop.onlink && hop.via.is_some() {
        RoutePath::Onlink { gateway, dev }
    } else {
        RoutePath::Via { gateway, dev }
    }
}

#[cfg(test)]
mod tests;
