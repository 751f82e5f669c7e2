//! Pods.

use std::sync::Arc;

use super::Cluster;
use super::groups::GroupKey;
use super::ids::{GroupId, PodId};
use super::pod_record::PodRecord;
use crate::api::Pod;
use crate::rules::PodName;
use crate::selector::LabelSet;

impl Cluster {
    /// A pod by its number.
    pub fn pod(&self, id: PodId) -> Option<&PodRecord> {
        self.pods.get(id.index())
    }

    /// A pod by its name.
    pub fn pod_id(&self, namespace: &str, name: &str) -> Option<PodId> {
        self.namespaces.get(namespace)?.pods.get(name).copied()
    }

    /// Adds or replaces a pod.
    pub(crate) fn put_pod(&mut self, pod: &Pod) {
        let namespace = self.texts.share(&pod.namespace);
        let name = PodName {
            namespace: Arc::clone(&namespace),
            name: pod.name.as_str().into(),
        };
        let is_name_local = self.local.named(&name).next().is_some();
        let record = PodRecord {
            uid: pod.uid.as_str().into(),
            mirrored_uid: pod.mirrored_uid.as_deref().map(Into::into),
            node: self.texts.share(&pod.node_name),
            group: None,
            has_ended: pod.has_ended,
            addresses: pod.addresses.as_slice().into(),
            is_name_local,
            name,
        };
        let (id, old_group) = match self.pod_id(&pod.namespace, &pod.name) {
            Some(id) => {
                self.unclaim(id);
                let old = std::mem::replace(&mut self.pods[id.index()], record);
                (id, old.group)
            }
            None => (self.add_pod(&namespace, record), None),
        };
        // The new group is joined first: a group whose only pod stays in it does not go and come.
        let group = (!pod.host_network).then(|| self.join(namespace, pod, id));
        self.pods[id.index()].group = group;
        if let Some(old) = old_group {
            self.leave(old, id);
        }
        self.claim(id);
    }

    /// Removes a pod.
    pub(crate) fn remove_pod(&mut self, namespace: &str, name: &str) {
        let Some(id) = self.pod_id(namespace, name) else {
            return;
        };
        self.unclaim(id);
        if let Some(group) = self.pods[id.index()].group {
            self.leave(group, id);
        }
        self.pods.remove(id.index());
        self.change_namespace(namespace, |it| {
            it.pods.remove(name);
        });
    }

    fn add_pod(&mut self, namespace: &Arc<str>, record: PodRecord) -> PodId {
        let name = Arc::clone(&record.name.name);
        let index = self.pods.insert(record);
        let id = PodId::new(index);
        let of_namespace = self.namespaces.entry(Arc::clone(namespace)).or_default();
        of_namespace.pods.insert(name, id);
        id
    }

    fn join(&mut self, namespace: Arc<str>, pod: &Pod, id: PodId) -> GroupId {
        let labels = pod.labels.iter();
        let labels = labels.map(|(key, value)| (self.texts.share(key), self.texts.share(value)));
        let key = GroupKey {
            namespace: Arc::clone(&namespace),
            labels: labels.collect::<LabelSet>(),
            ports: pod.named_ports.as_slice().into(),
        };
        let group = self.groups.join(key, id);
        self.namespaces
            .entry(namespace)
            .or_default()
            .groups
            .insert(group);
        group
    }

    fn leave(&mut self, group: GroupId, id: PodId) {
        if let Some(key) = self.groups.leave(group, id) {
            self.change_namespace(&key.namespace, |it| {
                it.groups.remove(&group);
            });
        }
    }

    fn claim(&mut self, id: PodId) {
        let record = &self.pods[id.index()];
        if record.has_addresses() {
            for address in &record.addresses {
                self.claims.entry(*address).or_default().push(id);
            }
        }
    }

    fn unclaim(&mut self, id: PodId) {
        for address in &self.pods[id.index()].addresses {
            if let Some(pods) = self.claims.get_mut(address) {
                pods.retain(|it| *it != id);
                if pods.is_empty() {
                    self.claims.remove(address);
                }
            }
        }
    }

    /// Notes with a pod whether the ledger has one of its name.
    pub(super) fn note_local(&mut self, name: &PodName) {
        let is_name_local = self.local.named(name).next().is_some();
        if let Some(id) = self.pod_id(&name.namespace, &name.name) {
            self.pods[id.index()].is_name_local = is_name_local;
        }
    }
}
