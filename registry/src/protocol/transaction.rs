//! Conditional writes to the registry, independent of the backend.

use ipnet::IpNet;
use wire::node::NodeName;

use crate::keys::Key;
use crate::records::NodeRecord;

/// Writes that happen together, if all conditions hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transaction {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) writes: Vec<Write>,
}

/// The required state of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) key: Key,
    /// The revision of its last write; 0 if the key must not exist.
    pub(crate) revision: i64,
}

impl Condition {
    pub(crate) fn new(key: Key, revision: i64) -> Self {
        Self { key, revision }
    }
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Write {
    /// The network as this node's conflist describes it.
    Config,
    Node(NodeName, NodeRecord),
    Claim(IpNet, NodeName),
    Delete(Key),
    /// Deletes the counted absence of a node.
    DeleteAbsence(NodeName),
}
