//! The netlink requests that make a wiring.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use ipnetwork::IpNetwork;
use wire::GATEWAY_V6;
use wire::netlink::{
    Address, Ipv4Settings, LinkChange, Neighbour, NetlinkRequest, Route, RouteKind, SourceRule,
};

use super::{Wiring, default_destination, gateway_of, is_v4};

/// The routes for the addresses of a further interface are in table 7000 + the index of the
/// interface.
const FIRST_TABLE: u32 = 7000;

/// Before the rule of the main table (32766) and those that other programs usually add before it.
const RULE_PRIORITY: u32 = 7000;

impl Wiring {
    /// The requests inside the pod, whose interface has the index `link`.
    pub(crate) fn pod_requests(&self, link: u32) -> Vec<NetlinkRequest> {
        let mut requests = vec![NetlinkRequest::ChangeLink {
            index: link,
            change: LinkChange {
                up: Some(true),
                ..LinkChange::default()
            },
        }];
        for address in &self.addresses {
            requests.push(NetlinkRequest::AddAddress(Address {
                no_dad: address.is_ipv6(),
                ..Address::new(link, IpNetwork::from(*address))
            }));
            if address.is_ipv6() {
                // The kernel adds the same route from a work queue (addrconf_dad_work), on a busy
                // machine long after ADD, and drops packets to the pod until then.
                requests.push(NetlinkRequest::AddRoute(Route {
                    dev: Some(link),
                    ..Route::new(IpNet::from(*address), RouteKind::Local)
                }));
            }
        }
        for gateway in self.gateways() {
            requests.push(NetlinkRequest::AddNeighbour(Neighbour {
                link,
                address: gateway,
                mac: self.host_mac,
                permanent: true,
            }));
            if gateway.is_ipv4() && !self.gateway_on_other_link {
                // An IPv6 link-local gateway needs no route: fe80::/64 is on every link.
                requests.push(NetlinkRequest::AddRoute(Route {
                    dev: Some(link),
                    ..unicast(IpNet::from(gateway))
                }));
            }
        }
        for dst in &self.destinations {
            requests.push(NetlinkRequest::AddRoute(self.through_gateway(*dst, link)));
        }
        for gateway in &self.source_routed {
            let table = FIRST_TABLE + link;
            let v4 = gateway.is_ipv4();
            requests.push(NetlinkRequest::AddRouteIn {
                table,
                route: self.through_gateway(default_destination(v4), link),
            });
            let own = self.addresses.iter().filter(|own| own.is_ipv4() == v4);
            requests.extend(own.map(|from| {
                NetlinkRequest::AddRule(SourceRule {
                    from: *from,
                    table,
                    priority: RULE_PRIORITY,
                })
            }));
        }
        requests
    }

    /// A route in the pod through our gateway.
    fn through_gateway(&self, dst: IpNet, link: u32) -> Route {
        Route {
            via: Some(gateway_of(&dst)),
            dev: Some(link),
            onlink: self.gateway_on_other_link && is_v4(&dst),
            ..unicast(dst)
        }
    }

    /// The requests on the host, where the host end has the index `link`. They come before
    /// [`Wiring::pod_requests`]: until the pod's end is up, no packets can come in.
    pub(crate) fn host_requests(&self, link: u32) -> Vec<NetlinkRequest> {
        let mut requests = vec![NetlinkRequest::ChangeLink {
            index: link,
            change: LinkChange {
                up: Some(true),
                alias: Some(self.alias.clone()),
                no_ipv6_link_local: self.ipv6,
                ipv4: Ipv4Settings {
                    proxy_arp: true,
                    strict_rp_filter: true,
                    // Whatever `conf/default` says: a packet is forwarded by the setting of the link
                    // that it comes in by, and so is an ARP request answered for the gateway.
                    forwarding: true,
                },
                ..LinkChange::default()
            },
        }];
        if self.addresses.iter().any(IpAddr::is_ipv4) {
            // For a virtual machine in the pod that resolves its gateway: by default the kernel
            // delays the proxy ARP reply, as other hosts on a link might reply first.
            let delay = Duration::ZERO;
            requests.push(NetlinkRequest::SetProxyDelay { link, delay });
        }
        for address in &self.addresses {
            requests.push(NetlinkRequest::AddRoute(Route {
                dev: Some(link),
                src: self
                    .node_addresses
                    .iter()
                    .copied()
                    .find(|node| node.is_ipv4() == address.is_ipv4()),
                ..unicast(IpNet::from(*address))
            }));
        }
        requests
    }

    /// The requests on the host once the pod's end is up; the host end has the index `link`.
    ///
    /// Not before: some time after the host end came up without a carrier, the kernel removes its
    /// neighbours that are not permanent (`neigh_carrier_down`). The IPv6 gateway's address comes
    /// last, as the kernel finishes it in the background (`addrconf_dad_work`), under the lock that
    /// ADD needs too.
    pub(crate) fn neighbour_requests(&self, link: u32) -> Vec<NetlinkRequest> {
        let neighbour = |address: &IpAddr| Neighbour {
            link,
            address: *address,
            mac: self.pod_mac,
            permanent: false,
        };
        let neighbours = self.addresses.iter().map(neighbour);
        let mut requests = vec![NetlinkRequest::NoticeCarrier { link }];
        requests.extend(neighbours.map(NetlinkRequest::AddNeighbour));
        if self.addresses.iter().any(IpAddr::is_ipv6) {
            // Neighbour discovery needs a link-local address on the link.
            let gateway = IpNetwork::from(IpAddr::V6(GATEWAY_V6));
            requests.push(NetlinkRequest::AddAddress(Address {
                no_dad: true,
                // The kernel keeps the prefix routes of all links in one list.
                no_prefix_route: true,
                ..Address::new(link, gateway)
            }));
        } else if self.ipv6 {
            // The kernel keeps these routes of all links in one list, which it walks for each link
            // that is added or removed: with thousands of pods that takes longer than all the rest.
            // IPv4 pods send no IPv6 multicast. Kernels before 6.8 add the route later than this
            // (see `NoticeCarrier`), so that it stays.
            requests.push(NetlinkRequest::DelMulticastRoute { link });
        }
        requests
    }
}

fn unicast(dst: IpNet) -> Route {
    Route::new(dst, RouteKind::Unicast)
}
