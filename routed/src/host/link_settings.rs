//! The settings of the links on the way of pods' packets: what they are, and which of them keep
//! packets or router advertisements out.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use registry::Network;
use wire::netlink::{Error, NetlinkSocket, RouteKind, Scope, Uplink};
use wire::{ROUTE_PROTOCOL, forwarding, pod_link};

use crate::kernel::Netlink;

/// `RTPROT_RA` (`include/uapi/linux/rtnetlink.h`): routes learned from router advertisements.
const RTPROT_RA: u8 = 9;

/// Addresses that no node and no pod has (RFC 5737, RFC 3849): packets to them take the default route.
const OUTSIDE_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const OUTSIDE_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

/// The links of the routes to peers, and the node's addresses, as far as they are known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Uplinks<'a> {
    pub(crate) peer_links: &'a BTreeSet<u32>,
    pub(crate) node_addresses: &'a [IpAddr],
}

/// What is known of a link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct LinkFacts {
    index: u32,
    name: String,
    /// What the link is to the pods.
    role: Role,
    /// IPv4: whether packets that come in by it are not forwarded.
    forwards_not: bool,
    /// IPv6: whether it ignores router advertisements only because it forwards.
    ignores_advertisements: bool,
    /// Whether it has global IPv6 addresses, all of which are permanent.
    is_static: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Role {
    /// It carries traffic of pods to other machines.
    Uplink,
    /// The host end of a pod.
    HostEnd,
    /// Hardware that carries no traffic of pods, or not yet.
    Hardware,
    /// Any other link.
    #[default]
    Other,
}

/// A setting of a link that should be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Drift {
    /// IPv4 packets that come in by this link are not forwarded.
    Forwarding {
        /// Its name.
        link: String,
    },
    /// The link ignores router advertisements, from which the node has its addresses or routes.
    Advertisements {
        /// Its index.
        index: u32,
        /// Its name.
        link: String,
    },
}

impl Drift {
    /// The setting, as a path below `/proc/sys`, and the value that it should have.
    pub(crate) fn setting(&self) -> (String, &'static str) {
        match self {
            Self::Forwarding { link } => (forwarding::of_link(link), "1"),
            Self::Advertisements { link, .. } => (forwarding::accept_ra(link), "2"),
        }
    }
}

/// The settings that should be changed.
pub(crate) fn drift(
    kernel: &mut Netlink,
    network: &Network,
    known: Uplinks<'_>,
) -> Result<Vec<Drift>, Error> {
    let mut cidrs = network.pod_cidrs.iter().map(|cidr| cidr.addr().is_ipv4());
    let (v4, v6) = (cidrs.clone().any(|v4| v4), cidrs.any(|v4| !v4));
    kernel.with(|socket| {
        let default_v6 = default_route(socket, OUTSIDE_V6);
        let own_default_v6 = default_v6.is_some_and(|(_, protocol)| protocol != RTPROT_RA);
        let defaults = [default_route(socket, OUTSIDE_V4), default_v6];
        let mut uplinks: BTreeSet<u32> = defaults.iter().flatten().map(|(dev, _)| *dev).collect();
        uplinks.extend(known.peer_links);
        let links = read(socket, uplinks, known.node_addresses)?;
        Ok(decide(&links, v4, v6, own_default_v6))
    })
}

/// As [`drift`], for a program that does not know the routes to peers: it asks the kernel.
/// `node_addresses` are those that were given.
pub(crate) fn drift_now(
    kernel: &mut Netlink,
    network: &Network,
    node_addresses: &[IpAddr],
) -> Result<Vec<Drift>, Error> {
    let peer_links = kernel.with(|socket| {
        let routes = socket.routes(Some(ROUTE_PROTOCOL))?;
        let to_peers = routes.iter().filter(|route| route.via.is_some());
        let uplink = Uplink::find(socket, node_addresses).ok();
        let uplink = uplink.map(|uplink| uplink.index);
        Ok(to_peers
            .filter_map(|route| route.dev)
            .chain(uplink)
            .collect())
    })?;
    let known = Uplinks {
        peer_links: &peer_links,
        node_addresses,
    };
    drift(kernel, network, known)
}

fn decide(links: &[LinkFacts], v4: bool, v6: bool, own_default_v6: bool) -> Vec<Drift> {
    let mut found = Vec::new();
    for link in links {
        let on_the_way = matches!(link.role, Role::Uplink | Role::HostEnd);
        if v4 && on_the_way && link.forwards_not {
            let link = link.name.clone();
            found.push(Drift::Forwarding { link });
        }
        let may_learn = matches!(link.role, Role::Uplink | Role::Hardware);
        // An administrator who gave the link an address and the node a default route relies on none.
        let relies_on_none = link.is_static && own_default_v6;
        if v6 && may_learn && link.ignores_advertisements && !relies_on_none {
            let (index, link) = (link.index, link.name.clone());
            found.push(Drift::Advertisements { index, link });
        }
    }
    found
}

fn read(
    socket: &mut NetlinkSocket,
    mut uplinks: BTreeSet<u32>,
    node_addresses: &[IpAddr],
) -> Result<Vec<LinkFacts>, Error> {
    let addresses = socket.addresses(None)?;
    let own = addresses
        .iter()
        .filter(|own| node_addresses.contains(&own.address.ip()));
    uplinks.extend(own.map(|own| own.link));
    let mut links = Vec::new();
    for link in socket.links()? {
        if link.loopback || pod_link::is_removed(&link) {
            continue;
        }
        let is_host_end = link
            .mac
            .is_some_and(|mac| pod_link::is_host_interface(&link.name, mac));
        let role = match link.kind {
            _ if is_host_end => Role::HostEnd,
            _ if uplinks.contains(&link.index) => Role::Uplink,
            None => Role::Hardware,
            Some(_) => continue,
        };
        let mut own = addresses.iter().filter(|it| {
            it.link == link.index && it.address.is_ipv6() && it.scope == Scope::Universe
        });
        let is_static = own.clone().next().is_some() && own.all(|it| it.permanent);
        // A setting that cannot be read is of a family that the link does not have, or the link is gone.
        links.push(LinkFacts {
            forwards_not: forwarding::is_off(&forwarding::of_link(&link.name)).unwrap_or(false),
            ignores_advertisements: role != Role::HostEnd
                && forwarding::ignores_advertisements(&link.name).unwrap_or(false),
            is_static,
            index: link.index,
            role,
            name: link.name,
        });
    }
    Ok(links)
}

/// The link and the protocol of the route to an address outside, if there is one.
fn default_route(socket: &mut NetlinkSocket, outside: IpAddr) -> Option<(u32, u8)> {
    let route = socket.route_to(outside).ok()?;
    let is_usable = route.kind == RouteKind::Unicast;
    route
        .dev
        .filter(|_| is_usable)
        .map(|dev| (dev, route.protocol))
}

#[cfg(test)]
mod tests;
