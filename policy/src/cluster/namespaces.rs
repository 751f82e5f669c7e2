//! Namespaces.

use std::collections::BTreeMap;

use super::Cluster;
use super::ids::GroupId;
use super::namespace_record::NamespaceRecord;
use crate::selector::{LabelSet, NamespaceScope};

impl Cluster {
    /// What is known of a namespace.
    pub fn namespace(&self, name: &str) -> Option<&NamespaceRecord> {
        self.namespaces.get(name)
    }

    /// The labels of a namespace; `None` if it has not been seen.
    pub fn namespace_labels(&self, name: &str) -> Option<&LabelSet> {
        self.namespaces.get(name)?.labels.as_ref()
    }

    /// Sets the labels of a namespace: `None` once it is deleted.
    pub(crate) fn put_namespace(&mut self, name: &str, labels: Option<LabelSet>) {
        let shared = self.texts.share(name);
        self.namespaces.entry(shared).or_default().labels = labels;
        self.change_namespace(name, |_| {});
    }

    /// Compiles labels with the texts that are there.
    pub(crate) fn share_labels(&mut self, labels: &BTreeMap<String, String>) -> LabelSet {
        let labels = labels.iter();
        let labels = labels.map(|(key, value)| (self.texts.share(key), self.texts.share(value)));
        labels.collect()
    }

    /// All groups in a scope.
    pub(crate) fn groups_in(&self, scope: &NamespaceScope) -> Vec<GroupId> {
        if let NamespaceScope::Named(name) = scope {
            let groups = self.namespaces.get(name).map(|it| &it.groups);
            return groups.into_iter().flatten().copied().collect();
        }
        let namespaces = self.namespaces.iter();
        let matching = namespaces.filter(|(name, it)| scope.matches(name, it.labels.as_ref()));
        matching.flat_map(|(_, it)| &it.groups).copied().collect()
    }

    /// Changes what is known of a namespace, and forgets it if nothing is left.
    pub(super) fn change_namespace(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut NamespaceRecord),
    ) {
        if let Some(record) = self.namespaces.get_mut(name) {
            change(record);
            let is_empty =
                record.labels.is_none() && record.pods.is_empty() && record.groups.is_empty();
            if is_empty {
                self.namespaces.remove(name);
            }
        }
    }
}
