//! Groups of pods that policies cannot tell apart.

use std::collections::HashMap;
use std::sync::Arc;

use super::ids::{GroupId, PodId};
use crate::api::NamedPort;
use crate::rules::SetId;
use crate::selector::LabelSet;

/// What the pods of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupKey {
    /// Their namespace.
    pub namespace: Arc<str>,
    /// Their labels.
    pub labels: LabelSet,
    /// Their named ports, sorted.
    pub ports: Box<[NamedPort]>,
}

/// A group. It exists as long as it has pods.
#[derive(Debug)]
pub struct PodGroup {
    /// What its pods have in common.
    pub key: Arc<GroupKey>,
    /// Its pods, also those that have ended.
    pub pods: Vec<PodId>,
    /// The sets in which its pods are, once that has been looked up.
    pub(crate) sets: Option<Arc<[SetId]>>,
}

/// All groups.
#[derive(Debug, Default)]
pub(super) struct Groups {
    by_id: HashMap<GroupId, PodGroup>,
    by_key: HashMap<Arc<GroupKey>, GroupId>,
    next: u64,
}

impl Groups {
    pub(super) fn get(&self, id: GroupId) -> Option<&PodGroup> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: GroupId) -> Option<&mut PodGroup> {
        self.by_id.get_mut(&id)
    }

    /// Adds a pod to the group of this key, which is made if there is none.
    pub(super) fn join(&mut self, key: GroupKey, pod: PodId) -> GroupId {
        if let Some(id) = self.by_key.get(&key) {
            if let Some(group) = self.by_id.get_mut(id) {
                group.pods.push(pod);
            }
            return *id;
        }
        let id = GroupId::new(self.next);
        self.next += 1;
        let key = Arc::new(key);
        self.by_key.insert(Arc::clone(&key), id);
        let group = PodGroup {
            key,
            pods: vec![pod],
            sets: None,
        };
        self.by_id.insert(id, group);
        id
    }

    /// Removes a pod from its group. The key is returned if the group is gone with it.
    pub(super) fn leave(&mut self, id: GroupId, pod: PodId) -> Option<Arc<GroupKey>> {
        let group = self.by_id.get_mut(&id)?;
        if let Some(at) = group.pods.iter().position(|it| *it == pod) {
            group.pods.swap_remove(at);
        }
        if !group.pods.is_empty() {
            return None;
        }
        let gone = self.by_id.remove(&id)?;
        self.by_key.remove(&gone.key);
        Some(gone.key)
    }
}
