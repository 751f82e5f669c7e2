//! Next-hop selection: which of a peer's addresses is the gateway of its routes. Pure.
//!
//! The IPv4 addresses of a peer come before the IPv6 ones for an IPv4 subnet (RFC 5549: an IPv4
//! route may have an IPv6 gateway), and an address on a link with a carrier before one on a link
//! without. A peer that is on no link of this node is reached through a gateway, if the
//! administrator says that the gateways know the pod CIDRs (`"crossSubnet": "gateway"`).

use std::net::IpAddr;

use ipnet::IpNet;

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
            Ok((path, true)) => return Ok(path),
            Ok((path, _)) => without_carrier = without_carrier.or(Some(path)),
            Err(fault) => rejected.push((address, fault)),
        }
    }
    if let Some(path) = without_carrier {
        return Ok(path);
    }
    for (address, fault) in &mut rejected {
        let Some(cross_subnet) = local.cross_subnet.filter(|_| fault.is_about_routes()) else {
            continue;
        };
        // RFC 3927: routers do not forward to these.
        let is_local = matches!(address, IpAddr::V4(v4) if v4.is_link_local());
        match cross_subnet
            .path_to(*address, local.links)
            .filter(|_| !is_local)
        {
            Some(path) => return Ok(path),
            None if *fault == Fault::NotConnected => *fault = Fault::NoGateway,
            None => {}
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

/// The path to `address` over the link that a route without a gateway names: the longest prefix
/// first, then a link with a carrier, then the smallest metric. And whether that link has a carrier.
fn connected(address: IpAddr, local: LocalView<'_>) -> Result<(Path, bool), Fault> {
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
        return Err(why_not_connected(address, local.links));
    };
    if is_edge(route.dst, address) {
        return Err(Fault::Broadcast);
    }
    let path = Path::Via {
        gateway: address,
        dev: route.dev,
    };
    Ok((path, link.is_none_or(|link| link.running)))
}

/// What the links say about an address that no route connects.
fn why_not_connected(address: IpAddr, links: &[Link]) -> Fault {
    let all = links
        .iter()
        .flat_map(|link| link.addresses.iter().map(move |own| (link, own)));
    let own = all
        .filter(|(_, own)| own.contains(address))
        .max_by_key(|(link, own)| (link.up, own.prefix()));
    match own {
        Some((link, _)) if !link.up => Fault::LinkDown(link.name.clone()),
        Some((link, own)) => Fault::NoPrefixRoute {
            link: link.name.clone(),
            prefix: *own,
        },
        None => Fault::NotConnected,
    }
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

/// Whether it is the first or last address of an IPv4 prefix; both are usable on a /31 (RFC 3021).
fn is_edge(prefix: IpNet, address: IpAddr) -> bool {
    let is_wide = prefix.addr().is_ipv4() && prefix.prefix_len() < 31;
    is_wide && (prefix.network() == address || prefix.broadcast() == address)
}

#[cfg(test)]
mod tests;
