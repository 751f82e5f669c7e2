//! Next-hop selection: which of a peer's addresses is the gateway of its routes. Pure.
//!
//! The IPv4 addresses of a peer come before the IPv6 ones for an IPv4 subnet (RFC 5549: an IPv4
//! route may have an IPv6 gateway), and an address on a link with a carrier before one on a link
//! without. A peer that is on no link of this node is reached through a gateway, if the
//! administrator says that the gateways know the pod CIDRs (`"crossSubnet": "gateway"`).

use std::net::IpAddr;

use ipnet::IpNet;
use ipnetwork::IpNetwork;

use crate::kernel::Link;
use crate::rib::local_node::LocalView;
use crate::rib::path::Path;
use crate::rib::verdict::{Fault, Refusal};

/// The number of a peer's addresses that are tried. A real node has a few.
const MAX_ADDRESSES: usize = 16;

/// The path to `subnet` of a peer that announces these `addresses`.
pub(crate) fn choose(
    subnet: IpNet,
    addresses: &[IpAddr],
    local: LocalView<'_>,
) -> Result<Path, Refusal> {
    let (mut rejected, mut without_carrier) = (Vec::new(), None);
    for address in candidates(subnet, addresses).take(MAX_ADDRESSES) {
        match connected(address, local) {
            Ok((path, link)) if link.running => return Ok(path),
            Ok((path, _)) => without_carrier = without_carrier.or(Some(path)),
            Err(fault) => rejected.push((address, fault)),
        }
    }
    if let Some(path) = without_carrier {
        return Ok(path);
    }
    for (address, fault) in &mut rejected {
        let (Fault::NotConnected, Some(cross_subnet)) = (&fault, local.cross_subnet) else {
            continue;
        };
        // RFC 3927: routers do not forward to these.
        let is_local = matches!(address, IpAddr::V4(v4) if v4.is_link_local());
        match cross_subnet.path_to(*address).filter(|_| !is_local) {
            Some(path) => return Ok(path),
            None => *fault = Fault::NoGateway,
        }
    }
    Err(if rejected.is_empty() {
        Refusal::NoAddress
    } else {
        Refusal::NoNextHop(rejected)
    })
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

/// The path to `address` over the link whose prefix contains it: the longest prefix first, then a
/// link with a carrier.
fn connected(address: IpAddr, local: LocalView<'_>) -> Result<(Path, &Link), Fault> {
    if let Some(fault) = never_a_next_hop(address, local) {
        return Err(fault);
    }
    let (link, own) = local
        .links
        .iter()
        .flat_map(|link| link.addresses.iter().map(move |own| (link, own)))
        .filter(|(_, own)| !is_host(own) && own.contains(address))
        .min_by_key(|(link, own)| {
            let shortness = u8::MAX - own.prefix();
            (!link.up, shortness, !link.running, link.index)
        })
        .ok_or(Fault::NotConnected)?;
    if !link.up {
        return Err(Fault::LinkDown(link.name.clone()));
    }
    if is_edge(own, address) {
        return Err(Fault::Broadcast);
    }
    let path = Path::Via {
        gateway: address,
        dev: link.index,
    };
    Ok((path, link))
}

fn never_a_next_hop(address: IpAddr, local: LocalView<'_>) -> Option<Fault> {
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
        Some(Fault::Unspecified)
    } else if address.is_loopback() {
        Some(Fault::Loopback)
    } else if address.is_multicast() {
        Some(Fault::Multicast)
    } else if broadcast {
        Some(Fault::Broadcast)
    } else if link_local {
        Some(Fault::LinkLocal)
    } else if is_reserved(address) {
        Some(Fault::Reserved)
    } else if own() {
        Some(Fault::OwnAddress)
    } else {
        let cidrs = &local.network.pod_cidrs;
        let cidr = cidrs.iter().find(|cidr| cidr.contains(&address))?;
        Some(Fault::InPodCidr(*cidr))
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

fn is_host(network: &IpNetwork) -> bool {
    network.prefix() == if network.is_ipv4() { 32 } else { 128 }
}

/// Whether it is the first or last address of an IPv4 prefix; both are usable on a /31 (RFC 3021).
fn is_edge(own: &IpNetwork, address: IpAddr) -> bool {
    own.is_ipv4() && own.prefix() < 31 && (own.network() == address || own.broadcast() == address)
}

#[cfg(test)]
mod tests;
