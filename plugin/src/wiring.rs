//! What a pod's wiring looks like, as a pure function of the attachment and its addresses.
//!
//! In the pod: each address as a single host, a link-local gateway that is nobody's address, and a
//! permanent neighbour for it. On the host: a route to each address and a permanent neighbour to
//! the pod's MAC. Both ends know each other from the start: no ARP, no neighbour discovery, no
//! duplicate address detection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::RawFd;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use ipnetwork::IpNetwork;
use wire::cni::{self, Attachment, Dns, Success};
use wire::netlink::{
    Address, Ipv4Settings, LinkChange, Mac, Neighbour, Request, Route, RouteKind, VethPair,
};
use wire::node;

/// The pod's IPv4 gateway: link-local (RFC 3927), so it collides with nobody's address, and the
/// same in every pod.
pub(crate) const GATEWAY_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// The pod's IPv6 gateway: link-local, the same in every pod.
pub(crate) const GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// Everything about one pod's wiring that is decided before the kernel is touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wiring {
    /// The host end's name.
    pub(crate) host_name: String,
    /// The host end's MAC.
    pub(crate) host_mac: Mac,
    /// The interface's name inside the pod.
    pub(crate) pod_name: String,
    /// The MAC of the interface inside the pod.
    pub(crate) pod_mac: Mac,
    /// The host end's alias, for people and to tell a collision of names from a repeated ADD.
    pub(crate) alias: String,
    /// MTU of both ends, in bytes.
    pub(crate) mtu: u32,
    /// The pod's addresses, at most one of each family in the common case.
    pub(crate) addresses: Vec<IpAddr>,
    /// The node's own addresses: the source of what the node itself sends to the pod.
    pub(crate) node_addresses: Vec<IpAddr>,
    /// Whether the kernel does IPv6 on the host end. Where it does not, it refuses settings of it.
    pub(crate) ipv6: bool,
    /// Destinations an IPAM plugin wants routed besides the default, through our gateway too.
    pub(crate) extra_routes: Vec<IpNet>,
}

/// What [`Wiring::new`] is made from.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    /// The network's name.
    pub(crate) network: &'a str,
    /// The attachment.
    pub(crate) attachment: &'a Attachment,
    /// What the IPAM plugin answered.
    pub(crate) ipam: &'a Success,
    /// MTU of both ends, in bytes.
    pub(crate) mtu: u32,
    /// The node's own addresses.
    pub(crate) node_addresses: &'a [IpAddr],
    /// Whether the kernel does IPv6 on links of that MTU.
    pub(crate) ipv6: bool,
}

impl Wiring {
    /// The wiring for one attachment.
    pub(crate) fn new(wanted: &Wanted<'_>) -> Self {
        let (host_mac, pod_mac) = node::macs(wanted.network, wanted.attachment);
        Self {
            host_name: node::host_interface(wanted.network, wanted.attachment),
            host_mac,
            pod_name: wanted.attachment.interface().to_owned(),
            pod_mac,
            alias: alias(wanted.network, wanted.attachment),
            mtu: wanted.mtu,
            addresses: wanted.ipam.ips.iter().map(|ip| ip.address.ip()).collect(),
            node_addresses: wanted.node_addresses.to_vec(),
            ipv6: wanted.ipv6,
            extra_routes: wanted
                .ipam
                .routes
                .iter()
                .map(|route| route.dst.trunc())
                .filter(|dst| dst.prefix_len() != 0)
                .collect(),
        }
    }

    /// The veth pair, the pod's end born in the network namespace behind `netns`.
    pub(crate) fn pair(&self, netns: RawFd) -> VethPair {
        VethPair {
            name: self.host_name.clone(),
            mac: self.host_mac,
            mtu: self.mtu,
            group: 0,
            peer_name: self.pod_name.clone(),
            peer_mac: self.pod_mac,
            peer_netns: netns,
        }
    }

    /// What is done inside the pod, where its interface has this index.
    pub(crate) fn pod_requests(&self, link: u32) -> Vec<Request> {
        let mut requests = vec![Request::ChangeLink {
            index: link,
            change: LinkChange {
                up: Some(true),
                ..LinkChange::default()
            },
        }];
        for address in &self.addresses {
            requests.push(Request::AddAddress(Address {
                no_dad: address.is_ipv6(),
                ..Address::new(link, IpNetwork::from(*address))
            }));
            if address.is_ipv6() {
                // The kernel adds the very same from a work queue (addrconf_dad_work), on a busy
                // machine long after ADD, and drops what comes in for the pod until then.
                requests.push(Request::AddRoute(Route {
                    dev: Some(link),
                    ..Route::new(IpNet::from(*address), RouteKind::Local)
                }));
            }
        }
        for gateway in self.gateways() {
            requests.push(Request::AddNeighbour(Neighbour {
                link,
                address: gateway,
                mac: self.host_mac,
            }));
            if gateway.is_ipv4() {
                // An IPv6 link-local gateway needs no route of its own: fe80::/64 is on every link.
                requests.push(Request::AddRoute(Route {
                    dev: Some(link),
                    ..unicast(IpNet::from(gateway))
                }));
            }
        }
        for dst in self.destinations() {
            requests.push(Request::AddRoute(Route {
                via: Some(gateway_of(&dst)),
                dev: Some(link),
                ..unicast(dst)
            }));
        }
        requests
    }

    /// What is done on the host, where the host end has this index. Goes before
    /// [`Wiring::pod_requests`]: once the pod's end is up, the kernel would already have given the
    /// host end a link-local address that nobody needs.
    pub(crate) fn host_requests(&self, link: u32) -> Vec<Request> {
        let mut requests = vec![Request::ChangeLink {
            index: link,
            change: LinkChange {
                alias: Some(self.alias.clone()),
                no_ipv6_link_local: self.ipv6,
                ipv4: Ipv4Settings {
                    proxy_arp: true,
                    strict_rp_filter: true,
                    ..Ipv4Settings::default()
                },
                ..LinkChange::default()
            },
        }];
        for address in &self.addresses {
            requests.push(Request::AddNeighbour(Neighbour {
                link,
                address: *address,
                mac: self.pod_mac,
            }));
        }
        for address in &self.addresses {
            requests.push(Request::AddRoute(Route {
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

    /// The result the runtime gets: exactly what the two batches make.
    pub(crate) fn result(&self, sandbox: &str, dns: Dns) -> Success {
        let interface = |name: &str, mac: Mac, sandbox: Option<&str>| cni::Interface {
            name: name.to_owned(),
            mac: Some(mac.to_string()),
            mtu: Some(self.mtu),
            sandbox: sandbox.map(str::to_owned),
            ..cni::Interface::default()
        };
        Success {
            interfaces: vec![
                interface(&self.host_name, self.host_mac, None),
                interface(&self.pod_name, self.pod_mac, Some(sandbox)),
            ],
            ips: self
                .addresses
                .iter()
                .map(|address| cni::IpConfig {
                    address: IpNetwork::from(*address),
                    gateway: Some(gateway_for(address.is_ipv4())),
                    interface: Some(1),
                })
                .collect(),
            routes: self
                .destinations()
                .map(|dst| cni::Route {
                    dst,
                    gw: Some(gateway_of(&dst)),
                    other: serde_json::Map::new(),
                })
                .collect(),
            dns,
        }
    }

    /// One gateway for each family the pod has an address of.
    fn gateways(&self) -> impl Iterator<Item = IpAddr> + '_ {
        [true, false]
            .into_iter()
            .filter(|v4| {
                self.addresses
                    .iter()
                    .any(|address| address.is_ipv4() == *v4)
            })
            .map(gateway_for)
    }

    /// The destinations of the pod's routes through its gateways, defaults first.
    fn destinations(&self) -> impl Iterator<Item = IpNet> + '_ {
        self.gateways().flat_map(|gateway| {
            let v4 = gateway.is_ipv4();
            let extra = self.extra_routes.iter().copied();
            std::iter::once(everywhere(v4)).chain(extra.filter(move |dst| is_v4(dst) == v4))
        })
    }
}

/// The alias of a host end: which attachment it belongs to.
pub(crate) fn alias(network: &str, attachment: &Attachment) -> String {
    format!("{network} {attachment}")
}

/// The attachment that an alias names, if it is one of this network.
pub(crate) fn holder(network: &str, alias: &str) -> Option<Attachment> {
    let attachment = alias.strip_prefix(network)?.strip_prefix(' ')?;
    let (container_id, interface) = attachment.split_once('/')?;
    Attachment::new(container_id, interface).ok()
}

fn gateway_for(v4: bool) -> IpAddr {
    if v4 {
        IpAddr::V4(GATEWAY_V4)
    } else {
        IpAddr::V6(GATEWAY_V6)
    }
}

/// The pod's gateway for the family of `dst`.
pub(crate) fn gateway_of(dst: &IpNet) -> IpAddr {
    gateway_for(is_v4(dst))
}

fn is_v4(prefix: &IpNet) -> bool {
    matches!(prefix, IpNet::V4(_))
}

fn unicast(dst: IpNet) -> Route {
    Route::new(dst, RouteKind::Unicast)
}

fn everywhere(v4: bool) -> IpNet {
    if v4 {
        IpNet::V4(Ipv4Net::default())
    } else {
        IpNet::V6(Ipv6Net::default())
    }
}

#[cfg(test)]
#[path = "wiring_tests.rs"]
mod tests;
