//! What a node's decisions rest on.

use std::collections::BTreeMap;

use ipnet::IpNet;
use wire::node::NodeName;

use crate::pool::Pool;
use crate::records::{Network, NodeRecord};

/// The part of the registry, at one revision, that a node's decisions rest on.
#[derive(Debug, Clone)]
pub(crate) struct RegistryView {
    /// What this node's conflist says; a view of a registry that says otherwise is an error.
    pub(crate) network: Network,
    /// The revision that `config` was last written at; 0 when it does not exist.
    pub(crate) network_revision: i64,
    /// This node's record.
    pub(crate) node: Option<NodeRecord>,
    /// The revision that the node's record was last written at; 0 when it does not exist.
    pub(crate) node_revision: i64,
    /// Whether `presence/<node>` exists, whatever its value.
    pub(crate) is_present: bool,
    /// Every claim, also of what is not a subnet of the network.
    pub(crate) claims: BTreeMap<IpNet, Claimed>,
    /// What this node's conflist excludes: a subnet that lies in it whole is of no use.
    pub(crate) exclude: Vec<IpNet>,
    /// The id of the etcd cluster; `None` for the local registry.
    pub(crate) cluster: Option<u64>,
}

/// The key of a subnet that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claimed {
    /// `None` where the value cannot be read. The subnet is claimed all the same.
    pub(crate) owner: Option<NodeName>,
    /// The revision that the key was last written at.
    pub(crate) revision: i64,
}

impl Claimed {
    pub(crate) fn is_by(&self, node: &NodeName) -> bool {
        self.owner.as_ref() == Some(node)
    }
}

impl RegistryView {
    /// The subnets that `node` has claimed, in order of the address.
    pub(super) fn owned_by(&self, node: &NodeName) -> impl Iterator<Item = &IpNet> {
        let claims = self.claims.iter();
        claims
            .filter(|(_, claim)| claim.is_by(node))
            .map(|(subnet, _)| subnet)
    }

    /// Whether `subnet` is one that the network cuts from `pod_cidr`.
    pub(super) fn is_of(&self, pod_cidr: &IpNet, subnet: &IpNet) -> bool {
        self.network.pod_cidr_of(subnet) == Some(*pod_cidr)
    }

    /// How many subnets of `pod_cidr` each node has claimed.
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
