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
mod tests {
    use super::*;

    fn claim(node: &str) -> Claim {
        Claim {
            node: NodeName::new(node).unwrap(),
        }
    }

    fn of(claims: &ClaimIndex, node: &str) -> Vec<String> {
        let node = claim(node).node;
        claims.of(&node).map(|it| it.to_string()).collect()
    }

    #[test]
    fn claims_are_indexed_by_node_for_both_families() {
        let mut view = Snapshot::default();
        for (subnet, node) in [
            ("0.0.0.0/0", "n1"),
            ("10.244.1.0/24", "n1"),
            ("fd00::/80", "n1"),
            ("10.244.2.0/24", "n10"),
        ] {
            view.subnets.insert(subnet.parse().unwrap(), claim(node));
        }
        let mut claims = ClaimIndex::new(&view);
        assert_eq!(
            of(&claims, "n1"),
            ["0.0.0.0/0", "10.244.1.0/24", "fd00::/80"]
        );
        assert_eq!(of(&claims, "n10"), ["10.244.2.0/24"]);
        assert!(of(&claims, "n").is_empty());

        let moved = "fd00::/80".parse().unwrap();
        claims.change(moved, Some(claim("n1")), Some(&claim("n10")));
        claims.change("0.0.0.0/0".parse().unwrap(), Some(claim("n1")), None);
        assert_eq!(of(&claims, "n1"), ["10.244.1.0/24"]);
        assert_eq!(of(&claims, "n10"), ["10.244.2.0/24", "fd00::/80"]);
    }
}
