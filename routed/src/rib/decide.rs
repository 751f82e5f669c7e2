//! Judges a claim: which route it gets, or why none. A pure function of the registry and this
//! node's links.
//!
//! Every claim is judged by itself. Subnets of a network have one length per family and are
//! aligned, so two valid claims can only overlap if they have the same key. The cost of a join
//! therefore does not grow with the cluster.

use ipnet::IpNet;
use registry::{Claim, Snapshot};

use crate::rib::advertisers::Advertisers;
use crate::rib::local_node::LocalNode;
use crate::rib::next_hop::{self, PeerView};
use crate::rib::path::RoutePath;
use crate::rib::verdict::{ClaimVerdict, Refusal};

/// Judges one claim.
pub(crate) fn judge(
    subnet: IpNet,
    claim: &Claim,
    view: &Snapshot,
    advertisers: &Advertisers,
    local: &LocalNode,
) -> ClaimVerdict {
    if claim.node == local.node {
        return ClaimVerdict::Own;
    }
    match route_to_peer(subnet, claim, view, advertisers, local) {
        Ok(path) => ClaimVerdict::Route(path),
        Err(refusal) => ClaimVerdict::Refused(refusal),
    }
}

fn route_to_peer(
    subnet: IpNet,
    claim: &Claim,
    view: &Snapshot,
    advertisers: &Advertisers,
    local: &LocalNode,
) -> Result<RoutePath, Refusal> {
    let (_, length) = local
        .network
        .pool_around(&subnet)
        .ok_or(Refusal::OutsidePodCidrs)?;
    if let Some(length) = length.filter(|length| subnet.prefix_len() != *length) {
        return Err(Refusal::WrongLength(length));
    }
    if let Some(own) = local.owned.iter().find(|own| overlap(own, &subnet)) {
        return Err(Refusal::OwnedHere(*own));
    }
    let record = view.nodes.get(&claim.node).ok_or(Refusal::NoRecord)?;
    if record.addresses.is_empty() {
        return Err(Refusal::NotAdvertised);
    }
    let own = view.nodes.get(&local.node);
    let peer = PeerView {
        node: &claim.node,
        addresses: &record.addresses,
        own: own.map_or(&[], |own| &own.addresses),
        advertisers,
    };
    next_hop::choose(subnet, peer, local)
}

/// Whether two prefixes share an address.
pub(crate) fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}

#[cfg(test)]
mod tests;
