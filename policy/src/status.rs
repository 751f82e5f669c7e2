//! The status of the daemon, for the command line and for metrics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is known of the policies of this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnforcementStatus {
    pub(crate) version: String,
    pub(crate) pid: u32,
    /// What is missing before the rules are those of the API, as sentences. Empty if it is ready.
    pub(crate) missing: Vec<String>,
    /// What needs attention, as sentences.
    pub(crate) troubles: Vec<String>,
    /// How many pods of this node there are, by how they are treated: `open`, `isolated`, `undecided`.
    pub(crate) pods: BTreeMap<String, usize>,
    /// How many sets, elements of sets, chains and rules the pods have.
    pub(crate) rules: BTreeMap<String, usize>,
    /// How far each collection of the API was read, by its name in paths of the API.
    pub(crate) collections: BTreeMap<String, CollectionStatus>,
    /// The part that is only for metrics.
    #[serde(skip)]
    pub(crate) counts: Vec<PolicyCount>,
}

/// How far a collection of the API was read: the rules are those of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CollectionStatus {
    /// The version of the last list or of the last change since; empty before the first one.
    pub(crate) resource_version: String,
    /// When that arrived, in seconds since 1970.
    pub(crate) since: u64,
    /// Whether the cluster has its definition.
    pub(crate) is_installed: bool,
}

/// The packets about which a policy decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyCount {
    pub(crate) policy: String,
    pub(crate) direction: String,
    pub(crate) action: String,
    pub(crate) packets: u64,
}
