//! Gives a node of an IPv6-only underlay an IPv4 address of its own subnet.
//!
//! Without one the node could neither reach IPv4 pods nor be reached by them. It takes the first
//! host address of its subnet, which no pod gets, as a /32 on the loopback link. Peers have a route
//! to it, as to the rest of the subnet.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use ipnetwork::{IpNetwork, Ipv4Network};
use wire::netlink::{Address, Error, NetlinkRequest};

use crate::kernel::{LOOPBACK, Netlink, NodeLink};

/// Adds the address if the node needs it, and removes it if not. Returns the changes, as commands.
pub(crate) fn ensure(
    kernel: &mut Netlink,
    links: &[NodeLink],
    owned: &[IpNet],
    pod_cidrs: &[IpNet],
) -> Result<Vec<String>, Error> {
    let requests = requests(links, owned, pod_cidrs);
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    kernel.with(|socket| socket.apply_all(&requests))?;
    Ok(requests.iter().map(ToString::to_string).collect())
}

fn requests(links: &[NodeLink], owned: &[IpNet], pod_cidrs: &[IpNet]) -> Vec<NetlinkRequest> {
    let desired = desired_address(links, owned, pod_cidrs).map(IpNetwork::V4);
    let on_loopback = links.iter().filter(|link| link.index == LOOPBACK);
    let present: Vec<IpNetwork> = on_loopback
        .flat_map(|link| link.addresses.iter().copied())
        .filter(|own| own.is_ipv4() && own.prefix() == 32)
        .filter(|own| pod_cidrs.iter().any(|cidr| cidr.contains(&own.ip())))
        .collect();
    let missing = desired.filter(|desired| !present.contains(desired));
    let stale = present.iter().copied().filter(|own| Some(*own) != desired);
    let add = missing.map(|own| NetlinkRequest::AddAddress(Address::new(LOOPBACK, own)));
    let remove = stale.map(|own| NetlinkRequest::DelAddress(Address::new(LOOPBACK, own)));
    add.into_iter().chain(remove).collect()
}

/// The address, if the node has no other IPv4 address and owns an IPv4 subnet.
fn desired_address(
    links: &[NodeLink],
    owned: &[IpNet],
    pod_cidrs: &[IpNet],
) -> Option<Ipv4Network> {
    // On loopback it may be the one that `routed` added.
    let is_ours = |own: IpAddr| pod_cidrs.iter().any(|cidr| cidr.contains(&own));
    let has_ipv4 = |link: &NodeLink| {
        let mut usable = link.addresses.iter().filter(|own| is_usable(own.ip()));
        usable.any(|own| link.index != LOOPBACK || !is_ours(own.ip()))
    };
    if links.iter().any(has_ipv4) {
        return None;
    }
    let mut subnets = owned.iter().filter_map(|subnet| match subnet {
        IpNet::V4(subnet) => Some(subnet),
        IpNet::V6(_) => None,
    });
    subnets.find_map(|subnet| node_address(*subnet))
}

fn is_usable(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if !v4.is_loopback() && !v4.is_link_local())
}

/// The address of a subnet that is reserved for the node.
fn node_address(subnet: Ipv4Net) -> Option<Ipv4Network> {
    subnet.hosts().next().map(Ipv4Network::from)
}

#[cfg(test)]
mod tests;
