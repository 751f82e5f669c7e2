//! What the kernel should hold: a pure function of the registry's claims and this node's links.
//!
//! Every claim is judged by itself. Subnets of a network have one length per family and are
//! aligned, so two valid claims can only overlap by being the same key, and the judgement of one
//! never depends on another's: what a single join costs does not grow with the cluster.

use std::net::IpAddr;

use ipnet::IpNet;
use ipnetwork::IpNetwork;
use registry::{Claim, Network, Snapshot};
use wire::node::NodeName;

use crate::verdict::{Fault, Refusal, Verdict};

/// Where packets to a subnet go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// To a peer, by its address on a link of ours.
    Via {
        /// The peer's address.
        gateway: IpAddr,
        /// The index of the link.
        dev: u32,
    },
    /// Nowhere but to pods' own host routes: the route of a subnet this node owns. A packet to a
    /// pod that is gone fails at once instead of looping through the default gateway.
    Unreachable,
}

/// A link of this node that has addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// Its index.
    pub(crate) index: u32,
    /// Its name.
    pub(crate) name: String,
    /// Whether it is administratively up (`IFF_UP`). The kernel takes no route over a link that is
    /// not; the absence of a carrier it handles by itself.
    pub(crate) up: bool,
    /// The addresses on it, each with the prefix that is on link.
    pub(crate) addresses: Vec<IpNetwork>,
}

/// This node's side of the judgement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Here<'a> {
    /// This node.
    pub(crate) node: &'a NodeName,
    /// The network.
    pub(crate) network: &'a Network,
    /// The subnets this node owns.
    pub(crate) owned: &'a [IpNet],
    /// This node's links.
    pub(crate) links: &'a [Link],
}

/// Judges one claim.
pub(crate) fn judge(subnet: IpNet, claim: &Claim, view: &Snapshot, here: Here<'_>) -> Verdict {
    if claim.node == *here.node {
        return Verdict::Own;
    }
    match route_to_peer(subnet, claim, view, here) {
        Ok(path) => Verdict::Route(path),
        Err(refusal) => Verdict::Refused(refusal),
    }
}

fn route_to_peer(
    subnet: IpNet,
    claim: &Claim,
    view: &Snapshot,
    here: Here<'_>,
) -> Result<Path, Refusal> {
    let (_, length) = here
        .network
        .pools()
        .find(|(cidr, _)| cidr.contains(&subnet))
        .ok_or(Refusal::OutsidePodCidrs)?;
    if subnet.prefix_len() != length {
        return Err(Refusal::WrongLength(length));
    }
    if let Some(own) = here.owned.iter().find(|own| overlap(own, &subnet)) {
        return Err(Refusal::OwnedHere(*own));
    }
    let record = view.nodes.get(&claim.node).ok_or(Refusal::NoRecord)?;
    if record.addresses.is_empty() {
        return Err(Refusal::NotAnnounced);
    }
    let mut tried = Vec::new();
    for address in same_family(subnet, &record.addresses) {
        match next_hop(address, here) {
            Ok(path) => return Ok(path),
            Err(fault) => tried.push((address, fault)),
        }
    }
    Err(if tried.is_empty() {
        Refusal::NoAddress
    } else {
        Refusal::NoNextHop(tried)
    })
}

fn same_family(subnet: IpNet, addresses: &[IpAddr]) -> impl Iterator<Item = IpAddr> {
    let v4 = matches!(subnet, IpNet::V4(_));
    addresses
        .iter()
        .copied()
        .filter(move |address| address.is_ipv4() == v4)
}

/// The way to `gateway`: the up link whose on-link prefix holds it, the longest prefix first.
fn next_hop(gateway: IpAddr, here: Here<'_>) -> Result<Path, Fault> {
    if let Some(fault) = never_a_next_hop(gateway, here) {
        return Err(fault);
    }
    let mut connected: Vec<(&Link, &IpNetwork)> = here
        .links
        .iter()
        .flat_map(|link| link.addresses.iter().map(move |own| (link, own)))
        .filter(|(_, own)| !is_host(own) && own.contains(gateway))
        .collect();
    connected.sort_by_key(|(link, own)| (!link.up, u8::MAX - own.prefix(), link.index));
    let (link, own) = connected.first().ok_or(Fault::NotConnected)?;
    if !link.up {
        return Err(Fault::LinkDown(link.name.clone()));
    }
    if is_edge(own, gateway) {
        return Err(Fault::Broadcast);
    }
    Ok(Path::Via {
        gateway,
        dev: link.index,
    })
}

fn never_a_next_hop(address: IpAddr, here: Here<'_>) -> Option<Fault> {
    let link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    let own = || {
        here.links
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
    } else if own() {
        Some(Fault::OwnAddress)
    } else {
        let cidr = here
            .network
            .pod_cidrs
            .iter()
            .find(|cidr| cidr.contains(&address))?;
        Some(Fault::InPodCidr(*cidr))
    }
}

fn is_host(network: &IpNetwork) -> bool {
    network.prefix() == if network.is_ipv4() { 32 } else { 128 }
}

/// The first and last address of an IPv4 prefix; both are usable on a /31 (RFC 3021).
fn is_edge(own: &IpNetwork, address: IpAddr) -> bool {
    own.is_ipv4() && own.prefix() < 31 && (own.network() == address || own.broadcast() == address)
}

/// Whether two prefixes share an address.
pub(crate) fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

#[cfg(test)]
mod tests;
