//! Routes of other programs to peers on other IP subnets (`"crossSubnet": "gateway"`). Pure.
//!
//! The subnets of a peer that is on no link of this node follow the route to its address, because
//! the routers on the way know the pod CIDRs. Routes with our own protocol number, and routes whose
//! gateway is in a pod CIDR, are never used for that: such a route would lead over itself.

use std::cmp::Reverse;
use std::net::IpAddr;

use ipnet::IpNet;
use wire::ROUTE_PROTOCOL;
use wire::netlink::{Route, RouteKind};

use crate::rib::path::Path;

/// The metric of an IPv6 route that names none (`IP6_RT_PRIO_USER`); of IPv4 it is 0.
const IPV6_METRIC: u32 = 1024;

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
        for route in &mut routes {
            let into_pods = |via| pod_cidrs.iter().any(|cidr| cidr.contains(&via));
            if route.via.is_some_and(into_pods) {
                // The kernel still prefers this route, but it is no path to a peer.
                route.kind = RouteKind::Other;
            }
        }
        routes.sort_by_key(|route| (Reverse(route.dst.prefix_len()), metric(route)));
        routes.shrink_to_fit();
        Self { routes }
    }

    /// The path to `address` that the kernel would choose: the longest prefix, then the smallest
    /// metric.
    pub(crate) fn path_to(&self, address: IpAddr) -> Option<Path> {
        let route = self.routes.iter().find(|it| it.dst.contains(&address))?;
        let is_way = matches!(route.kind, RouteKind::Unicast | RouteKind::Multipath);
        let dev = route.dev.filter(|_| is_way)?;
        Some(match route.via {
            Some(gateway) if route.onlink => Path::Onlink { gateway, dev },
            Some(gateway) => Path::Via { gateway, dev },
            None => Path::Via {
                gateway: address,
                dev,
            },
        })
    }
}

fn metric(route: &Route) -> u32 {
    let default = if route.dst.addr().is_ipv4() {
        0
    } else {
        IPV6_METRIC
    };
    route.metric.unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD_CIDRS: [&str; 2] = ["10.244.0.0/16", "fd00:10:244::/56"];

    /// A static route, as in `10.0.0.0/8 192.168.1.1 2`.
    fn route(text: &str) -> Route {
        let words: Vec<_> = text.split(' ').collect();
        Route {
            via: words[1].parse().ok(),
            dev: words[2].parse().ok(),
            protocol: 4,
            ..Route::new(words[0].parse().unwrap(), RouteKind::Unicast)
        }
    }

    fn cross_subnet(routes: Vec<Route>) -> CrossSubnetRoutes {
        CrossSubnetRoutes::new(routes, &POD_CIDRS.map(|cidr| cidr.parse().unwrap()))
    }

    fn via(gateway: &str, dev: u32) -> Option<Path> {
        let gateway = gateway.parse().ok()?;
        Some(Path::Via { gateway, dev })
    }

    #[test]
    fn route_choice_is_longest_prefix_then_smallest_metric() {
        let worse = Route {
            metric: Some(100),
            ..route("172.16.0.0/12 192.168.1.3 2")
        };
        let all = cross_subnet(vec![
            route("0.0.0.0/0 192.168.1.1 2"),
            worse,
            route("172.16.0.0/12 192.168.1.2 2"),
            route("172.16.9.0/24 - 3"),
            route("::/0 fe80::1 2"),
        ]);
        for (address, expected) in [
            ("8.8.8.8", via("192.168.1.1", 2)),
            ("172.16.1.1", via("192.168.1.2", 2)),
            ("172.16.9.9", via("172.16.9.9", 3)),
            ("fd00:2::1", via("fe80::1", 2)),
        ] {
            assert_eq!(all.path_to(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn onlink_gateway_stays_onlink() {
        let onlink = Route {
            onlink: true,
            ..route("0.0.0.0/0 172.31.1.1 2")
        };
        let gateway = "172.31.1.1".parse().unwrap();
        let expected = Some(Path::Onlink { gateway, dev: 2 });
        assert_eq!(
            cross_subnet(vec![onlink]).path_to("8.8.8.8".parse().unwrap()),
            expected
        );
    }

    #[test]
    fn unreachable_or_recursive_route_is_no_path() {
        let unreachable = Route {
            kind: RouteKind::Unreachable,
            ..route("172.16.0.0/12 - -")
        };
        let ours = Route {
            protocol: ROUTE_PROTOCOL,
            ..route("172.17.0.0/16 192.168.1.9 2")
        };
        let all = cross_subnet(vec![
            unreachable,
            ours,
            route("172.20.0.0/16 10.244.3.1 2"),
            route("172.21.0.0/16 fd00:10:244::1 2"),
            route("10.244.3.0/24 192.168.1.7 2"),
            route("10.0.0.0/8 192.168.1.1 2"),
        ]);
        for address in [
            "172.16.1.1",
            "172.17.0.1",
            "172.20.0.1",
            "172.21.0.1",
            "8.8.8.8",
        ] {
            assert_eq!(all.path_to(address.parse().unwrap()), None, "{address}");
        }
        let beyond = "10.244.3.9".parse().unwrap();
        assert_eq!(all.path_to(beyond), via("192.168.1.1", 2));
    }
}
