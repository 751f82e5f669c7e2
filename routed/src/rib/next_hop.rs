//! Next-hop selection: which of a peer's addresses is the gateway of its routes. Pure.
//!
//! An address on a link with a carrier comes before one on a link without, one that only the peer
//! advertises before one that several nodes do, one that answers before one that does not, and an
//! IPv4 address before an IPv6 one for an IPv4 subnet (RFC 5549: an IPv4 route may have an IPv6
//! gateway).
//!
//! Of several links that both nodes have in common, both must take the same one: with strict
//! `rp_filter` each drops what comes by another link than its own route back. They need no message for
//! it: the node whose name sorts first decides, by the order of the addresses that it advertises.
//!
//! A peer that is on no link of this node is reached through a gateway, if the administrator says
//! that the gateways know the pod CIDRs (`"crossSubnet": "gateway"`).

use std::net::IpAddr;

use ipnet::IpNet;
use wire::node::NodeName;

use crate::kernel::NodeLink;
use crate::rib::advertisers::Advertisers;
use crate::rib::local_node::LocalNode;
use crate::rib::path::RoutePath;
use crate::rib::verdict::{NextHopFault, Refusal};

/// The number of a peer's addresses that are tried. A real node has a few.
const MAX_ADDRESSES: usize = 16;

/// What is known of a peer, and what it knows of this node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerView<'a> {
    /// Its name.
    pub(crate) node: &'a NodeName,
    /// The addresses that it advertises.
    pub(crate) addresses: &'a [IpAddr],
    /// The addresses that this node advertises, as the peer sees them.
    pub(crate) own: &'a [IpAddr],
    /// Which nodes advertise each address.
    pub(crate) advertisers: &'a Advertisers,
}

/// An address of the peer that is on a link.
#[derive(Debug, Clone, Copy)]
struct NextHopCandidate {
    address: IpAddr,
    dev: u32,
    running: bool,
}

/// The path to `subnet` of a peer.
pub(crate) fn choose(
    subnet: IpNet,
    peer: PeerView<'_>,
    local: &LocalNode,
) -> Result<RoutePath, Refusal> {
    let (mut rejected, mut found) = (Vec::new(), Vec::new());
    for address in candidates(subnet, peer.addresses).take(MAX_ADDRESSES) {
        match connected(address, local) {
            Ok(candidate) => found.push(candidate),
            Err(fault) => rejected.push((address, fault)),
        }
    }
    if let Some(best) = best(subnet, &found, peer, local) {
        return Ok(RoutePath::Via {
            gateway: best.address,
            dev: best.dev,
        });
    }
    for (address, fault) in &mut rejected {
        let Some(cross_subnet) = local
            .cross_subnet
            .as_ref()
            .filter(|_| fault.is_about_routes())
        else {
            continue;
        };
        // RFC 3927: routers do not forward to these.
        let is_local = matches!(address, IpAddr::V4(v4) if v4.is_link_local());
        match cross_subnet
            .path_to(*address, &local.links)
            .filter(|_| !is_local)
        {
            Some(path) => return Ok(path),
            None if *fault == NextHopFault::NotConnected => *fault = NextHopFault::NoGateway,
            None => {}
        }
    }
    Err(if rejected.is_empty() {
        Refusal::NoAddress
    } else {
        Refusal::NoNextHop(rejected)
    })
}

/// The candidate that the rules at the top of this file put first.
fn best(
    subnet: IpNet,
    found: &[NextHopCandidate],
    peer: PeerView<'_>,
    local: &LocalNode,
) -> Option<NextHopCandidate> {
    let key = |(position, candidate): &(usize, &NextHopCandidate)| {
        let NextHopCandidate {
            address,
            dev,
            running,
        } = **candidate;
        let v4 = address.is_ipv4();
        let common = peer.own.iter().filter(|own| own.is_ipv4() == v4);
        let own_position = common
            .clone()
            .position(|own| is_on(*own, dev, &local.links));
        let decided = if local.node < *peer.node {
            own_position
        } else {
            Some(*position)
        };
        (
            !running,
            peer.advertisers.is_shared(address),
            local.silent.contains((dev, address)),
            v4 != subnet.addr().is_ipv4(),
            own_position.is_none(),
            decided,
            *position,
        )
    };
    match found {
        [only] => Some(*only),
        all => all
            .iter()
            .enumerate()
            .min_by_key(key)
            .map(|(_, best)| *best),
    }
}

fn is_on(address: IpAddr, dev: u32, links: &[NodeLink]) -> bool {
    let mut link = links.iter().filter(|link| link.index == dev);
    link.any(|link| link.addresses.iter().any(|own| own.ip() == address))
}

/// The addresses that can be a gateway for `subnet`, those of its own family first.
fn candidates(subnet: IpNet, addresses: &[IpAddr]) -> impl Iterator<Item = IpAddr> {
    let v4 = subnet.addr().is_ipv4();
    let of = move |family: bool| {
        let all = addresses.iter().copied();
        all.filter(move |address| address.is_ipv4() == family)
    };
    of(v4).chain(of(false).filter(move |_| v4))
}

/// The link of `address`, which a route without a gateway names: the longest prefix first, then a
/// link with a carrier, then the smallest metric.
fn connected(address: IpAddr, local: &LocalNode) -> Result<NextHopCandidate, NextHopFault> {
    if let Some(fault) = never_a_next_hop(address, local) {
        return Err(fault);
    }
    let link_of = |dev| local.links.iter().find(|link| link.index == dev);
    let found = local
        .connected
        .containing(address)
        .map(|route| (route, link_of(route.dev)))
        .filter(|(_, link)| link.is_none_or(|link| link.up))
        .min_by_key(|(route, link)| {
            let shortness = u8::MAX - route.dst.prefix_len();
            (
                shortness,
                link.is_some_and(|link| !link.running),
                route.metric,
            )
        });
    let Some((route, link)) = found else {
        return Err(why_not_connected(address, &local.links));
    };
    if is_edge(route.dst, address) {
        return Err(NextHopFault::Broadcast);
    }
    Ok(NextHopCandidate {
        address,
        dev: route.dev,
        running: link.is_none_or(|link| link.running),
    })
}

/// What the links say about an address that no route connects.
fn why_not_connected(address: IpAddr, links: &[NodeLink]) -> NextHopFault {
    let all = links
        .iter()
        .flat_map(|link| link.addresses.iter().map(move |own| (link, own)));
    let own = all
        .filter(|(_, own)| own.contains(address))
        .max_by_key(|(link, own)| (link.up, own.prefix()));
    match own {
        Some((link, _)) if !link.up => NextHopFault::LinkDown(link.name.clone()),
        Some((link, own)) => NextHopFault::NoPrefixRoute {
            link: link.name.clone(),
            prefix: *own,
        },
        None => NextHopFault::NotConnected,
    }
}

fn never_a_next_hop(address: IpAddr, local: &LocalNode) -> Option<NextHopFault> {
    let link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    let own = || {
        local
            .links
            .iter()
            .flat_map(|link| &link.addresses)
            .any(|own| own.ip() == address)
    };
    if address.is_unspecified() {
        Some(NextHopFault::Unspecified)
    } else if address.is_loopback() {
        Some(NextHopFault::Loopback)
    } else if address.is_multicast() {
        Some(NextHopFault::Multicast)
    } else if broadcast {
        Some(NextHopFault::Broadcast)
    } else if link_local {
        Some(NextHopFault::LinkLocal)
    } else if is_reserved(address) {
        Some(NextHopFault::Reserved)
    } else if own() {
        Some(NextHopFault::OwnAddress)
    } else {
        let cidrs = &local.network.pod_cidrs;
        let cidr = cidrs.iter().find(|cidr| cidr.contains(&address))?;
        Some(NextHopFault::InPodCidr(*cidr))
    }
}

/// Addresses that no host has: 0.0.0.0/8 and 240.0.0.0/4 (RFC 6890), and IPv4-mapped IPv6
/// addresses.
fn is_reserved(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets()[0] == 0 || v4.octets()[0] >= 240,
        IpAddr::V6(v6) => v6.to_ipv4_mapped().is_some(),
    }
}

/// Whether it is the first or last address of an IPv4 prefix; both are usable on a /31 (RFC 3021).
fn is_edge(prefix: IpNet, address: IpAddr) -> bool {
    let is_wide = prefix.addr().is_ipv4() && prefix.prefix_len() < 31;
    is_wide && (prefix.network() == address || prefix.broadcast() == address)
}

#[cfg(test)]
mod tests;
