//! This node: by which addresses peers reach it, and what of its own networks is in the way of the
//! pods'.

use std::net::IpAddr;

use registry::Network;
use tracing::warn;
use wire::netlink::{Address, Error, Socket, Uplink};
use wire::overlap::Overlap;

use crate::kernel::{Link, Netlink};

/// As many addresses are told to peers.
const MOST_TOLD: usize = 16;

/// The addresses to tell peers: those that were given (`hints`), and for a family that has none
/// among them, all that can be a next hop, those of the link that carries this node's traffic
/// first.
pub(crate) fn node_addresses(
    kernel: &mut Netlink,
    hints: &[IpAddr],
    network: &Network,
) -> Result<Vec<IpAddr>, Error> {
    let uplink = match kernel.with(|socket| Uplink::find(socket, hints)) {
        Ok(uplink) => Some(uplink),
        Err(Error::NoUplink { .. }) => None,
        Err(error) => return Err(error),
    };
    let links = kernel.with(Socket::links)?;
    let addresses = kernel.with(|socket| socket.addresses(None))?;
    let beside = next_hops(&links, &addresses);
    let found = uplink.into_iter().flat_map(|uplink| uplink.addresses);
    let found: Vec<_> = found.chain(beside).collect();
    if hints.is_empty() && found.is_empty() {
        let why = "no link that leads to other machines has an address that stays".to_owned();
        return Err(Error::NoUplink { why });
    }
    Ok(choose(hints, &found, network))
}

/// The addresses that stay, of links that lead to other machines.
fn next_hops(links: &[wire::netlink::Link], addresses: &[Address]) -> Vec<IpAddr> {
    let outward = links.iter().filter(|link| is_uplink_candidate(link, links));
    let lasting = |index| move |own: &&Address| own.link == index && own.is_lasting();
    let of = |link: &wire::netlink::Link| addresses.iter().filter(lasting(link.index));
    let mut all: Vec<_> = outward.flat_map(of).map(|own| own.address.ip()).collect();
    all.sort_by_key(IpAddr::is_ipv6);
    all
}

/// Whether other machines may be on the link: not if it is made for traffic inside this one, as a
/// bridge of containers is, nor if it is a tunnel, which carries only what its own rules let in.
fn is_uplink_candidate(link: &wire::netlink::Link, all: &[wire::netlink::Link]) -> bool {
    let is_inner = |kind: &str| matches!(kind, "veth" | "tun");
    let has_cable = || {
        let mut ports = all.iter().filter(|port| port.master == Some(link.index));
        ports.any(|port| !port.kind.as_deref().is_some_and(is_inner))
    };
    let is_port = || {
        let master = all.iter().find(|it| Some(it.index) == link.master);
        master.is_some_and(|master| master.kind.as_deref() == Some("bridge"))
    };
    // Every link with a six byte address is an Ethernet, or is taken for one.
    let is_ethernet = link.mac.is_some() && !link.loopback;
    link.up
        && is_ethernet
        && match link.kind.as_deref() {
            Some("bridge") => has_cable(),
            Some("dummy" | "ifb" | "tun" | "vxlan" | "geneve" | "gretap" | "ip6gretap") => false,
            _ => !is_port(),
        }
}

fn choose(hints: &[IpAddr], found: &[IpAddr], network: &Network) -> Vec<IpAddr> {
    let cidrs = &network.pod_cidrs;
    let has_v4_pods = cidrs.iter().any(|cidr| cidr.addr().is_ipv4());
    let has_v6_pods = cidrs.iter().any(|cidr| cidr.addr().is_ipv6());
    let hinted = |v4: bool| hints.iter().any(|hint| hint.is_ipv4() == v4);
    // IPv4 pods are reached by IPv6 too, where nobody said by what else.
    let wants_v6 = has_v6_pods || !hinted(true);
    let in_network = |address: &IpAddr| cidrs.iter().any(|cidr| cidr.contains(address));
    let more = found.iter().filter(|address| {
        let v4 = address.is_ipv4();
        let is_wanted = if v4 { has_v4_pods } else { wants_v6 };
        is_wanted && !hinted(v4) && !in_network(address)
    });
    let mut chosen = Vec::new();
    for address in hints.iter().chain(more) {
        if !chosen.contains(address) {
            chosen.push(*address);
        }
    }
    chosen.truncate(MOST_TOLD.max(hints.len()));
    chosen
}

/// What to tell peers when `told` is what they know and `found` is what there is: a family that
/// has no address at all any more keeps the ones it had. A link that flaps loses its IPv6
/// addresses for a moment, and peers would give up their routes to this node for that.
pub(crate) fn keep_missing_family(told: &[IpAddr], found: &[IpAddr]) -> Vec<IpAddr> {
    let vanished = |address: &&IpAddr| !found.iter().any(|f| f.is_ipv4() == address.is_ipv4());
    found
        .iter()
        .chain(told.iter().filter(vanished))
        .copied()
        .collect()
}

/// Says which of the given addresses this node does not have.
pub(crate) fn warn_of_unassigned_addresses(hints: &[IpAddr], links: &[Link]) {
    for hint in hints {
        let has = |link: &Link| link.addresses.iter().any(|own| own.ip() == *hint);
        if !links.iter().any(has) {
            warn!("node address {hint} is on no link of this node; peers are told it all the same");
        }
    }
}

/// The first of this node's networks that shares addresses with a pod CIDR.
pub(crate) fn overlap_with(links: &[Link], network: &Network) -> Option<Overlap> {
    let own = links
        .iter()
        .flat_map(|link| link.addresses.iter().map(|own| (link.name.as_str(), *own)));
    Overlap::find(own, &network.pod_cidrs)
}

#[cfg(test)]
mod tests;
