//! The wiring of a pod (veth pair, addresses, routes, neighbours), as a pure function of the
//! attachment and its addresses.
//!
//! In the pod: each address with a host mask, a link-local gateway, and a permanent neighbour entry
//! for it. On the host: a route to each address, and a neighbour entry with the pod's MAC. Both
//! ends know each other from the start: no ARP, no neighbour discovery, no duplicate address
//! detection. A virtual machine inside the pod has its own network stack, without these entries: it
//! resolves the gateway, gets a reply, and the host learns its MAC.

use std::net::IpAddr;
use std::os::fd::RawFd;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use ipnetwork::IpNetwork;
use wire::cni::{self, Attachment, Dns, Success};
use wire::netlink::{Link, Mac, VethPair};
use wire::{GATEWAY_V4, gateway, pod_link};

mod requests;

/// The wiring of one pod, decided before the kernel is changed.
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
    /// The host end's alias: it names the attachment, to distinguish a collision of names from a
    /// repeated ADD.
    pub(crate) alias: String,
    /// MTU of both ends, in bytes.
    pub(crate) mtu: u32,
    /// The pod's addresses, at most one of each family in the common case.
    pub(crate) addresses: Vec<IpAddr>,
    /// The node's own addresses: the source of what the node itself sends to the pod.
    pub(crate) node_addresses: Vec<IpAddr>,
    /// Whether the kernel supports IPv6 on the host end; if not, it refuses IPv6 settings.
    pub(crate) ipv6: bool,
    /// The destinations of the pod's routes through its gateways.
    pub(crate) destinations: Vec<IpNet>,
    /// Gateways whose default route goes into a separate table, for packets from this interface's
    /// addresses: another interface has the default route of the main table.
    pub(crate) source_routed: Vec<IpAddr>,
    /// Whether the pod has a route to the IPv4 gateway through another interface already: the
    /// kernel would refuse a second one.
    pub(crate) gateway_on_other_link: bool,
    /// Settings of the pod's interface: path below /proc/sys, value.
    pub(crate) settings: Vec<(String, String)>,
}

/// The input of [`Wiring::new`].
#[derive(Debug)]
pub(crate) struct WiringInput<'a> {
    /// The network's name.
    pub(crate) network: &'a str,
    /// The attachment.
    pub(crate) attachment: &'a Attachment,
    /// The result of the IPAM plugin.
    pub(crate) ipam: &'a Success,
    /// MTU of both ends, in bytes.
    pub(crate) mtu: u32,
    /// The node's own addresses.
    pub(crate) node_addresses: &'a [IpAddr],
    /// Whether the kernel supports IPv6 on links with that MTU.
    pub(crate) ipv6: bool,
    /// The requested MAC of the pod; `None` for the derived one.
    pub(crate) mac: Option<Mac>,
    /// Settings of the pod's interface, whose name in the paths is `IFNAME`.
    pub(crate) settings: &'a [(String, String)],
    /// Destinations to which the pod has routes already, through other interfaces.
    pub(crate) existing_routes: &'a [IpNet],
}

impl Wiring {
    /// The wiring for one attachment.
    pub(crate) fn new(input: &WiringInput<'_>) -> Self {
        let (host_mac, pod_mac) = pod_link::mac_addresses(input.network, input.attachment);
        let pod_name = input.attachment.interface();
        let addresses: Vec<IpAddr> = input.ipam.ips.iter().map(|ip| ip.address.ip()).collect();
        let settings = input.settings.iter();
        Self {
            host_name: pod_link::host_interface_name(input.network, input.attachment),
            host_mac,
            pod_name: pod_name.to_owned(),
            pod_mac: input.mac.unwrap_or(pod_mac),
            alias: pod_link::alias(input.network, input.attachment),
            mtu: input.mtu,
            node_addresses: input.node_addresses.to_vec(),
            ipv6: input.ipv6,
            destinations: destinations(input, &addresses),
            source_routed: gateways(&addresses)
                .filter(|gateway| {
                    input
                        .existing_routes
                        .contains(&default_destination(gateway.is_ipv4()))
                })
                .collect(),
            gateway_on_other_link: input
                .existing_routes
                .contains(&IpNet::from(IpAddr::V4(GATEWAY_V4))),
            settings: settings
                .map(|(path, value)| (path.replace("IFNAME", pod_name), value.clone()))
                .collect(),
            addresses,
        }
    }

    /// The veth pair, with the pod's end in the network namespace of `netns`.
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

    /// The result for the runtime: exactly what the requests make.
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
                    gateway: Some(gateway(address.is_ipv4())),
                    interface: Some(1),
                })
                .collect(),
            routes: self
                .destinations
                .iter()
                .map(|dst| cni::CniRoute {
                    dst: *dst,
                    gw: Some(gateway_of(dst)),
                    other: serde_json::Map::new(),
                })
                .collect(),
            dns,
        }
    }

    /// One gateway for each family in which the pod has an address.
    pub(crate) fn gateways(&self) -> impl Iterator<Item = IpAddr> + '_ {
        gateways(&self.addresses)
    }
}

/// One gateway for each family in which there is an address.
fn gateways(addresses: &[IpAddr]) -> impl Iterator<Item = IpAddr> + '_ {
    let has = |v4: bool| addresses.iter().any(|address| address.is_ipv4() == v4);
    [true, false]
        .into_iter()
        .filter(move |v4| has(*v4))
        .map(gateway)
}

/// The destinations of the pod's routes through its gateways: the default route and the routes of
/// the IPAM plugin. Destinations to which the pod has a route already are left out: with two
/// default routes the choice would be arbitrary.
fn destinations(input: &WiringInput<'_>, addresses: &[IpAddr]) -> Vec<IpNet> {
    let mut all = Vec::new();
    for gateway in gateways(addresses) {
        let v4 = gateway.is_ipv4();
        all.push(default_destination(v4));
        let extra = input.ipam.routes.iter().map(|route| route.dst.trunc());
        all.extend(extra.filter(|dst| is_v4(dst) == v4));
    }
    let mut seen = Vec::new();
    all.retain(|dst| {
        let fresh = !input.existing_routes.contains(dst) && !seen.contains(dst);
        seen.push(*dst);
        fresh
    });
    all
}

/// Whether these are the two ends of one pair, each as seen in its own namespace.
pub(crate) fn is_pair(one: &Link, other: &Link) -> bool {
    // The kernel leaves out the other end's index if it equals the link's own.
    let leads_to = |from: &Link, to: &Link| from.link.unwrap_or(from.index) == to.index;
    leads_to(one, other) && leads_to(other, one)
}

/// The pod's gateway for the family of `dst`.
pub(crate) fn gateway_of(dst: &IpNet) -> IpAddr {
    gateway(is_v4(dst))
}

fn is_v4(prefix: &IpNet) -> bool {
    matches!(prefix, IpNet::V4(_))
}

fn default_destination(v4: bool) -> IpNet {
    if v4 {
        IpNet::V4(Ipv4Net::default())
    } else {
        IpNet::V6(Ipv6Net::default())
    }
}

#[cfg(test)]
mod tests;
