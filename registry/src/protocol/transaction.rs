//! What is asked of the registry in one step, before it is put into etcd's words.

use ipnet::IpNet;
use wire::node::NodeName;

use crate::keys::Key;
use crate::records::NodeRecord;

/// Writes that happen together, and only while all conditions hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transaction {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) writes: Vec<Write>,
}

/// What a key must be like for anything to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) key: Key,
    /// Last written at this revision; 0 for a key that must not exist.
    pub(crate) revision: i64,
}

impl Condition {
    pub(crate) fn new(key: Key, revision: i64) -> Self {
        Self { key, revision }
    }
}

/// What is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Write {
    /// What this node's conflist says of the network.
    Config,
    Node(NodeName, NodeRecord),
    Claim(IpNet, NodeName),
    Delete(Key),
    /// What was counted of a node's absence goes.
    Uncount(NodeName),
}
