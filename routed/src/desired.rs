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

use crate::detours::Detours;
use crate::next_hop;
use crate::verdict::{Refusal, Verdict};

/// Where packets to a subnet go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// To a peer by its address on a link of ours, or to a gateway that leads there.
    Via {
        /// The peer's address, or the gateway's.
        gateway: IpAddr,
        /// The index of the link.
        dev: u32,
    },
    /// As [`Path::Via`], through a gateway that is on the link although no address says so
    /// (`onlink` in the route that leads there).
    Onlink {
        /// The gateway's address.
        gateway: IpAddr,
        /// The index of the link.
        dev: u32,
    },
    /// To whoever is on a link: of [`crate::guests::GATEWAY`] alone.
    Link {
        /// The index of the link.
        dev: u32,
    },
    /// Nowhere but to pods' own host routes: the route of a subnet this node owns. A packet to a
    /// pod that is gone fails at once instead of looping through the default gateway.
    Unreachable,
}

impl Path {
    /// Whether it is the way to a peer.
    pub(crate) fn is_to_peer(self) -> bool {
        matches!(self, Self::Via { .. } | Self::Onlink { .. })
    }
}

/// The index of the loopback link of every network namespace (`LOOPBACK_IFINDEX`).
pub(crate) const LOOPBACK: u32 = 1;

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
    /// Whether it is up and has a carrier (`IFF_RUNNING`).
    pub(crate) running: bool,
    /// The addresses on it, each with the prefix that is on link.
    pub(crate) addresses: Vec<IpNetwork>,
    /// Those of them that peers may be told: neither temporary nor deprecated nor tentative.
    pub(crate) lasting: Vec<IpAddr>,
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
    /// Its own ways to peers that are on none of its links, if it may take them.
    pub(crate) detours: Option<&'a Detours>,
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
    next_hop::choose(subnet, &record.addresses, here)
}

/// Whether two prefixes share an address.
pub(crate) fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

#[cfg(test)]
mod tests;
