//! Chooses the node addresses to advertise to peers, and finds networks of the node that overlap
//! with a pod CIDR.

use std::net::IpAddr;

use registry::Network;
use tracing::warn;
use wire::netlink::{Address, Error, NetlinkSocket, Uplink};
use wire::overlap::Overlap;

use crate::kernel::{Netlink, NodeLink};

/// At most this many addresses are advertised, unless more are configured.
const MAX_ADVERTISED: usize = 16;

/// The addresses to advertise: the `configured` ones, and for a family without a configured one,
/// all addresses that can be a next hop, beginning with those of the link that carries this node's
/// traffic.
pub(crate) fn node_addresses(
    kernel: &mut Netlink,
    configured: &[IpAddr],
    network: &Network,
) -> Result<Vec<IpAddr>, Error> {
    let uplink = match kernel.with(|socket| Uplink::find(socket, configured)) {
        Ok(uplink) => Some(uplink),
        Err(Error::NoUplink { .. }) => None,
        Err(error) => return Err(error),
    };
    let links = kernel.with(NetlinkSocket::links)?;
    let addresses = kernel.with(|socket| socket.addresses(None))?;
    let next_hops = next_hops(&links, &addresses);
    let found = uplink.into_iter().flat_map(|uplink| uplink.addresses);
    let found: Vec<_> = found.chain(next_hops).collect();
    if configured.is_empty() && found.is_empty() {
        let why = "no link that leads to other machines has an address that stays".to_owned();
        return Err(Error::NoUplink { why });
    }
    Ok(choose(configured, &found, network))
}

/// The permanent addresses of links that lead to other machines, IPv4 first.
fn next_hops(links: &[wire::netlink::Link], addresses: &[Address]) -> Vec<IpAddr> {
    let uplinks = links.iter().filter(|link| is_uplink_candidate(link, links));
    let lasting = |index| move |own: &&Address| own.link == index && own.is_lasting();
    let of = |link: &wire::netlink::Link| addresses.iter().filter(lasting(link.index));
    let mut all: Vec<_> = uplinks.flat_map(of).map(|own| own.address.ip()).collect();
    all.sort_by_key(IpAddr::is_ipv6);
    all
}

/// Whether the link may lead to other machines. Not so a link for traffic inside this machine, such
/// as a bridge of containers, nor a tunnel, which carries only what its own rules admit.
fn is_uplink_candidate(link: &wire::netlink::Link, all: &[wire::netlink::Link]) -> bool {
    let is_virtual = |kind: &str| matches!(kind, "veth" | "tun");
    let has_outer_port = || {
        let mut ports = all.iter().filter(|port| port.master == Some(link.index));
        ports.any(|port| !port.kind.as_deref().is_some_and(is_virtual))
    };
    let is_port = || {
        let master = all.iter().find(|it| Some(it.index) == link.master);
        master.is_some_and(|master| master.kind.as_deref() == Some("bridge"))
    };
    // Every link with a six-byte address is treated as Ethernet.
    let is_ethernet = link.mac.is_some() && !link.loopback;
    link.up
        && is_ethernet
        && match link.kind.as_deref() {
            Some("bridge") => has_outer_port(),
            Some("dummy" | "ifb" | "vrf" | "tun" | "vxlan" | "geneve" | "gretap" | "ip6gretap") => {
                false
            }
            _ => !is_port(),
        }
}

fn choose(configured: &[IpAddr], found: &[IpAddr], network: &Network) -> Vec<IpAddr> {
    let cidrs = &network.pod_cidrs;
    let has_v4_pods = cidrs.iter().any(|cidr| cidr.addr().is_ipv4());
    let has_v6_pods = cidrs.iter().any(|cidr| cidr.addr().is_ipv6());
    let is_configured = |v4: bool| configured.iter().any(|address| address.is_ipv4() == v4);
    // IPv4 pods can be reached by IPv6 too, unless an IPv4 address is configured.
    let wants_v6 = has_v6_pods || !is_configured(true);
    let in_network = |address: &IpAddr| cidrs.iter().any(|cidr| cidr.contains(address));
    let more = found.iter().filter(|address| {
        let v4 = address.is_ipv4();
        let is_used = if v4 { has_v4_pods } else { wants_v6 };
        is_used && !is_configured(v4) && !in_network(address)
    });
    let mut chosen = Vec::new();
    for address in configured.iter().chain(more) {
        if !chosen.contains(address) {
            chosen.push(*address);
        }
    }
    chosen.truncate(MAX_ADVERTISED.max(configured.len()));
    chosen
}

/// What to advertise when `advertised` is known to peers and `found` is on the node: a family that
/// has lost all its addresses keeps the old ones. A link that flaps loses its IPv6 addresses for a
/// moment, and peers would withdraw their routes to this node because of that.
pub(crate) fn keep_missing_family(advertised: &[IpAddr], found: &[IpAddr]) -> Vec<IpAddr> {
    let is_missing = |address: &&IpAddr| !found.iter().any(|f| f.is_ipv4() == address.is_ipv4());
    found
        .iter()
        .chain(advertised.iter().filter(is_missing))
        .copied()
        .collect()
}

/// Warns of configured addresses that this node does not have.
pub(crate) fn warn_of_unassigned_addresses(configured: &[IpAddr], links: &[NodeLink]) {
    for address in configured {
        let has = |link: &NodeLink| link.addresses.iter().any(|own| own.ip() == *address);
        if !links.iter().any(has) {
            warn!(%address, "node address {address} is on no link of this node; advertising it anyway");
        }
    }
}

/// The first of this node's networks that shares addresses with a pod CIDR.
pub(crate) fn overlap_with(links: &[NodeLink], network: &Network) -> Option<Overlap> {
    let own = links
        .iter()
        .flat_map(|link| link.addresses.iter().map(|own| (link.name.as_str(), *own)));
    Overlap::find(own, &network.pod_cidrs)
}

#[cfg(test)]
mod tests;
