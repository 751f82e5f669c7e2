//! A policy of the cluster (policy.networking.k8s.io/v1alpha2).

use kubernetes::ApiObject;
use serde::Deserialize;

use super::{LabelSelector, ObjectMeta, null_is_empty};

/// A ClusterNetworkPolicy object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ClusterNetworkPolicy {
    /// Its name.
    pub metadata: ObjectMeta,
    /// What it says.
    pub spec: ClusterNetworkPolicySpec,
}

impl ApiObject for ClusterNetworkPolicy {
    fn version(&self) -> &str {
        &self.metadata.resource_version
    }
}

/// What a ClusterNetworkPolicy says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ClusterNetworkPolicySpec {
    /// `Admin` (before NetworkPolicies) or `Baseline` (after them).
    pub tier: String,
    /// From 0 to 1000; lower numbers come first within the tier.
    pub priority: i32,
    /// The pods to which it applies.
    pub subject: ClusterNetworkPolicySubject,
    /// Rules for what comes in; the first that matches decides.
    #[serde(deserialize_with = "null_is_empty")]
    pub ingress: Vec<ClusterNetworkPolicyRule>,
    /// Rules for what goes out; the first that matches decides.
    #[serde(deserialize_with = "null_is_empty")]
    pub egress: Vec<ClusterNetworkPolicyRule>,
}

/// The pods to which a policy applies: one of the two fields is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ClusterNetworkPolicySubject {
    /// All pods of these namespaces.
    pub namespaces: Option<LabelSelector>,
    /// Some pods of some namespaces.
    pub pods: Option<NamespacedPods>,
}

/// Some pods of some namespaces (`NamespacedPod` of the API).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NamespacedPods {
    /// The namespaces; all if it is empty.
    pub namespace_selector: LabelSelector,
    /// The pods; all if it is empty.
    pub pod_selector: LabelSelector,
}

/// What to do with some connections. Of `from` and `to`, the one of its direction is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ClusterNetworkPolicyRule {
    /// Its name, for people.
    pub name: String,
    /// `Accept`, `Deny` or `Pass`.
    pub action: String,
    /// The other ends of a rule for ingress or for egress.
    #[serde(alias = "from", alias = "to", deserialize_with = "null_is_empty")]
    pub peers: Vec<ClusterNetworkPolicyPeer>,
    /// The protocols; all if it is missing.
    pub protocols: Option<Vec<ClusterNetworkPolicyProtocol>>,
}

/// The other end: one of the fields is set. `Default` is a peer that was written for a later version of
/// the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterNetworkPolicyPeer {
    /// All pods of these namespaces.
    pub namespaces: Option<LabelSelector>,
    /// Some pods of some namespaces.
    pub pods: Option<NamespacedPods>,
    /// Nodes, only for egress.
    pub nodes: Option<LabelSelector>,
    /// CIDRs, only for egress.
    pub networks: Option<Vec<String>>,
    /// Domain names, only for egress.
    pub domain_names: Option<Vec<String>>,
}

/// A protocol and its ports: one of the fields is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterNetworkPolicyProtocol {
    /// TCP.
    pub tcp: Option<ClusterNetworkPolicyPort>,
    /// UDP.
    pub udp: Option<ClusterNetworkPolicyPort>,
    /// SCTP.
    pub sctp: Option<ClusterNetworkPolicyPort>,
    /// The name of a port of the destination pod, of whichever protocol.
    pub destination_named_port: Option<String>,
}

/// What is matched within a protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterNetworkPolicyPort {
    /// The destination port.
    pub destination_port: Option<DestinationPort>,
}

/// One port or a range (`Port` of the API): one of the fields is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DestinationPort {
    /// One port.
    pub number: Option<i32>,
    /// A range.
    pub range: Option<PortSpan>,
}

/// Ports from `start` to `end`, both included (`PortRange` of the API).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PortSpan {
    /// The first.
    pub start: i32,
    /// The last.
    pub end: i32,
}
