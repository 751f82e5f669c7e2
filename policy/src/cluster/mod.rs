//! What is known of the cluster: namespaces, pods, policies, and the pods of this node.
//!
//! Pods that policies cannot tell apart (same namespace, labels and named ports) are a group. Most of
//! the work is done for groups: a Deployment of a thousand pods is one.

mod addresses;
mod decide;
mod groups;
mod ids;
mod local_pods;
mod namespace_record;
mod namespaces;
mod pod_record;
mod pods;
mod policies;
mod policy_table;
mod texts;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use slab::Slab;

pub use decide::UndecidedReason;
pub use groups::{GroupKey, PodGroup};
pub use ids::{GroupId, PodId};
pub use local_pods::{LedgerPod, LocalPods};
pub use namespace_record::NamespaceRecord;
pub use pod_record::PodRecord;

use groups::Groups;
use policy_table::Policies;
use texts::Texts;

/// The cluster, as the events so far tell it.
#[derive(Debug, Default)]
pub struct Cluster {
    texts: Texts,
    namespaces: HashMap<Arc<str>, NamespaceRecord>,
    pods: Slab<PodRecord>,
    groups: Groups,
    /// Which pods say that they have an address: more than one while an address changes hands.
    claims: HashMap<IpAddr, Vec<PodId>>,
    /// The pods of this node.
    local: LocalPods,
    policies: Policies,
}

impl Cluster {
    /// The pods of this node.
    pub fn local(&self) -> &LocalPods {
        &self.local
    }

    /// A group that exists.
    pub fn group(&self, id: GroupId) -> Option<&PodGroup> {
        self.groups.get(id)
    }

    pub(crate) fn group_mut(&mut self, id: GroupId) -> Option<&mut PodGroup> {
        self.groups.get_mut(id)
    }
}
