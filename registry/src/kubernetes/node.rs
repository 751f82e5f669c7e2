//! What of a Node object is read, and what it says in the terms of the registry.

use std::net::IpAddr;

use ::kubernetes::{ApiObject, Metadata};
use ipnet::IpNet;
use serde::Deserialize;
use wire::node::NodeName;
use wire::text::cut;

use crate::records::{MAX_TEXT, NodeRecord, Presence};

/// A Node has at most this many addresses that are used, and one pod CIDR of each family.
const MAX_ADDRESSES: usize = 64;

/// A Node object (core/v1), of which everything else is dropped while it is read: of thousands, little
/// is in memory at any time.
#[derive(Debug, Deserialize)]
#[serde(from = "RawNode")]
pub(super) struct Node {
    /// The name of the object; `None` if no node can have that name.
    pub(super) name: Option<NodeName>,
    /// The version of the object.
    pub(super) version: String,
    /// What it says, in the terms of the registry.
    pub(super) facts: NodeFacts,
}

/// The fields of a Node object that are read.
#[derive(Debug, Deserialize)]
struct RawNode {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    spec: NodeSpec,
    #[serde(default)]
    status: NodeStatus,
}

#[derive(Debug, Default, Deserialize)]
struct NodeSpec {
    /// The first of `podCIDRs`, for objects from before that field.
    #[serde(rename = "podCIDR", default)]
    pod_cidr: Option<String>,
    #[serde(rename = "podCIDRs", default)]
    pod_cidrs: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NodeStatus {
    #[serde(default)]
    addresses: Option<Vec<NodeAddress>>,
    #[serde(default)]
    conditions: Option<Vec<NodeCondition>>,
    #[serde(default)]
    node_info: NodeInfo,
}

#[derive(Debug, Deserialize)]
struct NodeAddress {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    address: String,
}

#[derive(Debug, Deserialize)]
struct NodeCondition {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    status: String,
}

#[derive(Debug, Default, Deserialize)]
struct NodeInfo {
    #[serde(rename = "machineID", default)]
    machine_id: String,
    #[serde(rename = "bootID", default)]
    boot_id: String,
}

impl ApiObject for Node {
    fn version(&self) -> &str {
        &self.version
    }
}

impl From<RawNode> for Node {
    fn from(raw: RawNode) -> Self {
        Self {
            name: NodeName::new(&raw.metadata.name).ok(),
            facts: raw.facts(),
            version: raw.metadata.resource_version,
        }
    }
}

/// When an object was created, as RFC 3339 in UTC, and its UID.
pub(super) type Age = (Box<str>, Box<str>);

/// What a Node says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NodeFacts {
    /// When the object was created; of two Nodes with one pod CIDR, the older has it. Then its UID.
    pub(super) age: Age,
    /// Its pod CIDRs, without host bits, in the order of the object.
    pub(super) pod_cidrs: Vec<IpNet>,
    pub(super) record: NodeRecord,
    /// Set while the kubelet says that the node is ready.
    pub(super) presence: Option<Presence>,
    /// What of its pod CIDRs cannot be used.
    pub(super) flaw: Option<String>,
}

impl RawNode {
    fn facts(&self) -> NodeFacts {
        let (pod_cidrs, flaw) = self.pod_cidrs();
        let record = NodeRecord {
            addresses: self.internal_addresses(),
            machine_id: cut(&self.status.node_info.machine_id, MAX_TEXT).to_owned(),
            session: None,
        };
        let conditions = self.status.conditions.iter().flatten();
        let is_ready = conditions
            .filter(|condition| condition.kind == "Ready")
            .any(|condition| condition.status == "True");
        let presence = is_ready.then(|| Presence {
            session: cut(&self.status.node_info.boot_id, MAX_TEXT).to_owned(),
            address: record.addresses.first().copied(),
            version: String::new(),
            since: None,
        });
        let created = self
            .metadata
            .creation_timestamp
            .as_deref()
            .unwrap_or_default();
        NodeFacts {
            age: (created.into(), self.metadata.uid.as_str().into()),
            pod_cidrs,
            record,
            presence,
            flaw,
        }
    }

    /// The pod CIDRs that can be used, and what is wrong with another.
    fn pod_cidrs(&self) -> (Vec<IpNet>, Option<String>) {
        let (mut pod_cidrs, mut flaw) = (Vec::<IpNet>::new(), None);
        let all = self.spec.pod_cidrs.iter().flatten();
        let first = self.spec.pod_cidr.iter().filter(|it| !it.is_empty());
        let texts: Vec<_> = match self.spec.pod_cidrs.as_deref() {
            None | Some([]) => first.collect(),
            Some(_) => all.collect(),
        };
        for text in texts {
            match text.parse::<IpNet>() {
                Ok(cidr) if cidr.addr() != cidr.network() => {
                    flaw = Some(format!("pod CIDR {cidr} has host bits"));
                }
                Ok(cidr) if cidr.prefix_len() < shortest(&cidr) => {
                    flaw = Some(format!("pod CIDR {cidr} is larger than any node's"));
                }
                Ok(cidr) if pod_cidrs.iter().any(|it| is_same_family(it, &cidr)) => {
                    flaw = Some(format!("pod CIDR {cidr} is the second of its family"));
                }
                Ok(cidr) => pod_cidrs.push(cidr),
                Err(_) => flaw = Some(format!("{text:?} is no pod CIDR")),
            }
        }
        (pod_cidrs, flaw)
    }

    fn internal_addresses(&self) -> Vec<IpAddr> {
        let addresses = self.status.addresses.iter().flatten();
        let internal = addresses.filter(|address| address.kind == "InternalIP");
        let mut found = Vec::new();
        for address in internal.filter_map(|it| it.address.parse().ok()) {
            if !found.contains(&address) && found.len() < MAX_ADDRESSES {
                found.push(address);
            }
        }
        found
    }
}

/// The shortest prefix of a node, or of all nodes, that is believed: a mistake must not take over half
/// the world.
pub(super) fn shortest(cidr: &IpNet) -> u8 {
    if cidr.addr().is_ipv4() { 8 } else { 32 }
}

/// Whether both are of IPv4, or both of IPv6.
pub(super) fn is_same_family(one: &IpNet, other: &IpNet) -> bool {
    one.addr().is_ipv4() == other.addr().is_ipv4()
}

#[cfg(test)]
mod tests;
