//! The objects of the Kubernetes API, as far as policies need them: everything else is dropped while an
//! object is read.
//!
//! Values that a later version of the API may extend (protocols, operators, actions) stay texts here:
//! one object with an unknown word must not end the watch of all.

mod cluster_network_policy;
mod label_selector;
mod namespace;
mod network_policy;
mod pod;
mod protocol;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

pub use cluster_network_policy::{
    ClusterNetworkPolicy, ClusterNetworkPolicyPeer, ClusterNetworkPolicyPort,
    ClusterNetworkPolicyProtocol, ClusterNetworkPolicyRule, ClusterNetworkPolicySpec,
    ClusterNetworkPolicySubject, DestinationPort, NamespacedPods, PortSpan,
};
pub use label_selector::{LabelSelector, SelectorRequirement};
pub use namespace::Namespace;
pub use network_policy::{
    IpBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec, PortNumberOrName,
};
pub use pod::{NamedPort, Pod};
pub use protocol::L4Protocol;

/// The metadata of an object (meta/v1 `ObjectMeta`), as far as it is used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMeta {
    /// Its namespace; empty for an object of the cluster.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its identity: a new object of the same name has another.
    pub uid: String,
    /// Its version in the server's store.
    pub resource_version: String,
    /// Its labels.
    #[serde(deserialize_with = "null_is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    #[serde(deserialize_with = "null_is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// Reads a list or a map for which a server may send `null`.
fn null_is_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests;
