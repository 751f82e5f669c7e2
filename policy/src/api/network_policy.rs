//! A policy of a namespace (networking.k8s.io/v1).

use kubernetes::ApiObject;
use serde::Deserialize;

use super::{LabelSelector, ObjectMeta, null_is_empty};

/// A NetworkPolicy object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NetworkPolicy {
    /// Its namespace and name.
    pub metadata: ObjectMeta,
    /// What it says.
    pub spec: NetworkPolicySpec,
}

impl ApiObject for NetworkPolicy {
    fn version(&self) -> &str {
        &self.metadata.resource_version
    }
}

/// What a NetworkPolicy says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkPolicySpec {
    /// The pods of its namespace that it isolates; all of them if it is empty.
    #[serde(deserialize_with = "null_is_empty")]
    pub pod_selector: LabelSelector,
    /// What may come in.
    #[serde(deserialize_with = "null_is_empty")]
    pub ingress: Vec<NetworkPolicyIngressRule>,
    /// What may go out.
    #[serde(deserialize_with = "null_is_empty")]
    pub egress: Vec<NetworkPolicyEgressRule>,
    /// `Ingress`, `Egress`, or both. If it is empty: `Ingress`, and `Egress` if there are rules for it.
    #[serde(deserialize_with = "null_is_empty")]
    pub policy_types: Vec<String>,
}

/// Connections that may come in: those from one of `from` to one of `ports`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NetworkPolicyIngressRule {
    /// The sources; all if there are none.
    #[serde(deserialize_with = "null_is_empty")]
    pub from: Vec<NetworkPolicyPeer>,
    /// The ports of the isolated pods; all if there are none.
    #[serde(deserialize_with = "null_is_empty")]
    pub ports: Vec<NetworkPolicyPort>,
}

/// Connections that may go out: those to one of `to`, there to one of `ports`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NetworkPolicyEgressRule {
    /// The destinations; all if there are none.
    #[serde(deserialize_with = "null_is_empty")]
    pub to: Vec<NetworkPolicyPeer>,
    /// The ports of the destinations; all if there are none.
    #[serde(deserialize_with = "null_is_empty")]
    pub ports: Vec<NetworkPolicyPort>,
}

/// The other end: an `ip_block` alone, or pods by one selector or both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkPolicyPeer {
    /// Which pods; of the policy's namespace if there is no `namespace_selector`.
    pub pod_selector: Option<LabelSelector>,
    /// The namespaces of the pods.
    pub namespace_selector: Option<LabelSelector>,
    /// Addresses.
    pub ip_block: Option<IpBlock>,
}

/// A range of addresses without some parts of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct IpBlock {
    /// The range, as a CIDR.
    pub cidr: String,
    /// CIDRs inside it that do not belong to it.
    #[serde(deserialize_with = "null_is_empty")]
    pub except: Vec<String>,
}

/// One port, several, or all of a protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkPolicyPort {
    /// `TCP`, `UDP` or `SCTP`; TCP if it is missing.
    pub protocol: Option<String>,
    /// The port; all if it is missing.
    pub port: Option<PortNumberOrName>,
    /// The last port of a range that begins with `port`, which then is a number.
    pub end_port: Option<i32>,
}

/// A port (`IntOrString` of the API).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum PortNumberOrName {
    /// Its number.
    Number(i32),
    /// The name that it has in the pod.
    Name(String),
}
