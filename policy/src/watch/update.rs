//! What the watch reports.

use kubernetes::Error;

use crate::compile::PolicyEvent;

/// What a [`ClusterWatch`](crate::watch::ClusterWatch) reports. A collection is named as in paths of the
/// API, such as `networkpolicies`.
#[derive(Debug)]
pub enum WatchUpdate {
    /// Changes of the cluster, to be taken together.
    Events(Vec<PolicyEvent>),
    /// All collections were read. Before this, policies and pods are missing from the events, and rules
    /// made of them would be too few or too many. Comes once.
    Complete,
    /// Whether the cluster has the definition of a collection: at the first look, and when that changes.
    Installed {
        /// The collection.
        collection: &'static str,
        /// Whether it has it.
        is_installed: bool,
    },
    /// A collection cannot be read; attempts go on. What was reported of it stays. Comes once per outage,
    /// and again when the reason becomes another.
    Disconnected {
        /// The collection.
        collection: &'static str,
        /// The reason.
        error: Error,
    },
    /// Another cluster answers than the known one. Nothing is taken from it.
    OtherCluster {
        /// The collection that it answered for.
        collection: &'static str,
        /// The number of the known cluster (`kubernetes::cluster_id`).
        known: u64,
        /// The number of the one that answers.
        answers: u64,
    },
    /// A collection can be read again, after an outage or after another cluster had answered.
    Connected {
        /// The collection.
        collection: &'static str,
    },
}

/// How far a collection was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollectionVersion<'a> {
    /// The collection.
    pub collection: &'static str,
    /// The version of its last list, or of the last change since; `None` before the first list.
    pub version: Option<&'a str>,
    /// Whether the cluster has its definition, as far as is known.
    pub is_installed: bool,
}
