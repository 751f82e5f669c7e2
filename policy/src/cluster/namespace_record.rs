//! What is known of a namespace.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::ids::{GroupId, PodId};
use crate::selector::LabelSet;

/// What is known of a namespace. It exists as long as something of it is known.
#[derive(Debug, Default)]
pub struct NamespaceRecord {
    /// Its labels; `None` as long as the namespace itself has not been seen.
    pub labels: Option<LabelSet>,
    /// Its pods by name.
    pub(super) pods: HashMap<Arc<str>, PodId>,
    /// The groups of its pods.
    pub groups: BTreeSet<GroupId>,
}
