//! What is on link: the routes without a gateway that other programs, most often the kernel itself,
//! have in the main table. Pure.
//!
//! The mask of an address does not say it: DHCP for IPv6 gives a /128 whose prefix comes by router
//! advertisement, an administrator adds `192.168.5.0/24 dev eth1`, and the prefix route of an
//! address can be removed. The kernel looks here too when it accepts a gateway (`fib_check_nh` in
//! `net/ipv4/fib_semantics.c`, `ip6_route_check_nh` in `net/ipv6/route.c`).

use std::cmp::Reverse;
use std::net::IpAddr;

use ipnet::IpNet;
use wire::ROUTE_PROTOCOL;
use wire::netlink::Route;

use crate::kernel::{LOOPBACK, is_link_local_v6};

/// A prefix that is on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConnectedRoute {
    /// The prefix.
    pub(crate) dst: IpNet,
    /// The index of the link.
    pub(crate) dev: u32,
    /// Among routes to the same prefix the smallest wins.
    pub(crate) metric: u32,
}

/// The prefixes on links: longest first, then by metric.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ConnectedRoutes(Vec<ConnectedRoute>);

impl ConnectedRoutes {
    /// Those among the `routes` of the main table.
    pub(crate) fn new(routes: &[Route]) -> Self {
        let mut connected = Self(routes.iter().flat_map(prefixes).collect());
        connected.sort();
        connected
    }

    /// A route was added. Returns whether it is one of these.
    pub(crate) fn add(&mut self, route: &Route) -> bool {
        let mut differs = false;
        for prefix in prefixes(route) {
            if !self.0.contains(&prefix) {
                self.0.push(prefix);
                differs = true;
            }
        }
        if differs {
            self.sort();
        }
        differs
    }

    /// A route was removed. Returns whether it was one of these.
    pub(crate) fn remove(&mut self, route: &Route) -> bool {
        let gone = prefixes(route);
        self.retain(|prefix| !gone.contains(prefix))
    }

    /// A route replaced the one with its prefix and metric. Returns whether that changes these.
    pub(crate) fn replace(&mut self, route: &Route) -> bool {
        let before = self.0.clone();
        let key = (route.dst, route.preference());
        self.retain(|prefix| (prefix.dst, prefix.metric) != key);
        self.add(route);
        self.0 != before
    }

    /// A link went down or away, and with it its routes. Returns whether it had any.
    pub(crate) fn remove_link(&mut self, dev: u32) -> bool {
        self.retain(|prefix| prefix.dev != dev)
    }

    /// The prefixes that contain `address`, longest first.
    pub(crate) fn containing(&self, address: IpAddr) -> impl Iterator<Item = &ConnectedRoute> {
        self.0.iter().filter(move |it| it.dst.contains(&address))
    }

    /// All prefixes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ConnectedRoute> {
        self.0.iter()
    }

    fn retain(&mut self, keep: impl FnMut(&ConnectedRoute) -> bool) -> bool {
        let before = self.0.len();
        self.0.retain(keep);
        self.0.len() != before
    }

    fn sort(&mut self) {
        let key = |it: &ConnectedRoute| (Reverse(it.dst.prefix_len()), it.dst, it.metric, it.dev);
        self.0.sort_by_key(key);
    }
}

/// The prefixes that a route says are on a link. A default route without a gateway says nothing about
/// who is on the link, and a route of ours is no proof of itself.
fn prefixes(route: &Route) -> Vec<ConnectedRoute> {
    let is_about_hosts = route.dst.prefix_len() > 0 && !is_link_local_v6(route.dst.addr());
    if route.protocol == ROUTE_PROTOCOL || !is_about_hosts {
        return Vec::new();
    }
    let hops = route.next_hops().into_iter();
    let direct = hops.filter(|hop| hop.via.is_none() && hop.dev != LOOPBACK);
    let prefix = |dev| ConnectedRoute {
        dst: route.dst,
        dev,
        metric: route.preference(),
    };
    direct.map(|hop| prefix(hop.dev)).collect()
}

#[cfg(test)]
pub(crate) mod tests;
