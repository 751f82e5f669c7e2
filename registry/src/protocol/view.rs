//! The state of the registry that a node's decisions depend on.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use wire::node::NodeName;

use crate::pool::Pool;
use crate::records::{Network, NodeRecord};

/// The part of the registry that a node's decisions depend on, at one revision.
#[derive(Debug, Clone)]
pub(crate) struct RegistryView {
    /// As this node's conflist describes it. Reading a registry with another network fails.
    pub(crate) network: Network,
    /// The revision of the last write of `config`; 0 if it does not exist.
    pub(crate) network_revision: i64,
    /// This node's record.
    pub(crate) node: Option<NodeRecord>,
    /// The revision of the last write of the node's record; 0 if it does not exist.
    pub(crate) node_revision: i64,
    /// `presence/<node>`, if it exists, with any value.
    pub(crate) presence: Option<PresenceView>,
    /// Every claim, including those that are no subnet of the network.
    pub(crate) claims: BTreeMap<IpNet, Claimed>,
    /// What this node's conflist excludes. A subnet that is excluded completely is never claimed.
    pub(crate) exclude: Vec<IpNet>,
    /// The id of the etcd cluster; `None` for the local registry.
    pub(crate) cluster: Option<u64>,
}

/// An existing presence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PresenceView {
    /// The revision of the key's last write.
    pub(crate) revision: i64,
    /// `None` if the value cannot be read.
    pub(crate) session: Option<String>,
    pub(crate) address: Option<IpAddr>,
}

/// An existing claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claimed {
    /// `None` if the value cannot be read. The subnet still counts as claimed.
    pub(crate) owner: Option<NodeName>,
    /// The revision of the key's last write.
    pub(crate) revision: i64,
}

impl Claimed {
    pub(crate) fn is_by(&self, node: &NodeName) -> bool {
        self.owner.as_ref() == Some(node)
    }
}

impl RegistryView {
    /// The subnets that `node` has claimed, ordered by address.
    pub(super) fn owned_by(&self, node: &NodeName) -> impl Iterator<Item = &IpNet> {
        let claims = self.claims.iter();
        claims
            .filter(|(_, claim)| claim.is_by(node))
            .map(|(subnet, _)| subnet)
    }

    /// Whether `subnet` is a subnet of `pod_cidr` in this network.
    pub(super) fn is_of(&self, pod_cidr: &IpNet, subnet: &IpNet) -> bool {
        self.network.pod_cidr_of(subnet) == Some(*pod_cidr)
    }

    /// The number of subnets of `pod_cidr` that each node has claimed.
    pub(super) fn owners(&self, pod_cidr: &IpNet) -> BTreeMap<NodeName, usize> {
        let mut owners = BTreeMap::new();
        for (subnet, claim) in &self.claims {
            if let Some(owner) = claim.owner.as_ref().filter(|_| pod_cidr.contains(subnet)) {
                *owners.entry(owner.clone()).or_default() += 1;
            }
        }
        owners
    }

    pub(super) fn pool(&self, (pod_cidr, length): (IpNet, u8)) -> Pool {
        Pool::new(pod_cidr, length, self.claims.keys())
    }
}
