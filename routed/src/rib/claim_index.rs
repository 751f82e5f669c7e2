//! Claims by node, so that a change of one node costs only what that node claims.

use std::collections::BTreeSet;

use ipnet::{IpNet, Ipv4Net};
use registry::{Claim, Snapshot};
use wire::node::NodeName;

/// The claims by node.
#[derive(Debug, Default)]
pub(crate) struct ClaimIndex(BTreeSet<(NodeName, IpNet)>);

impl ClaimIndex {
    /// The claims of a snapshot.
    pub(crate) fn new(view: &Snapshot) -> Self {
        let claims = view.subnets.iter();
        Self(
            claims
                .map(|(subnet, claim)| (claim.node.clone(), *subnet))
                .collect(),
        )
    }

    /// The subnets that `node` claims.
    pub(crate) fn of(&self, node: &NodeName) -> impl Iterator<Item = IpNet> {
        // The smallest prefix.
        let first = IpNet::V4(Ipv4Net::default());
        let entries = self.0.range((node.clone(), first)..);
        entries
            .take_while(move |(owner, _)| owner == node)
            .map(|(_, subnet)| *subnet)
    }

    /// Replaces the claim of `subnet`.
    pub(crate) fn change(&mut self, subnet: IpNet, before: Option<Claim>, now: Option<&Claim>) {
        if let Some(before) = before {
            self.0.remove(&(before.node, subnet));
        }
        if let Some(now) = now {
            self.0.insert((now.node.clone(), subnet));
        }
    }
}

#[cfg(test)]
mod tests;
