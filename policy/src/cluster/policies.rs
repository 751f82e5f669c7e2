//! Policies.

use std::sync::Arc;

use super::{Cluster, GroupKey};
use crate::policies::{CompiledPolicy, PolicyTier};
use crate::rules::PolicyName;

impl Cluster {
    /// Adds or replaces a policy; the one before is returned.
    pub(crate) fn put_policy(
        &mut self,
        policy: Arc<CompiledPolicy>,
    ) -> Option<Arc<CompiledPolicy>> {
        let before = self.remove_policy(&policy.name);
        match &policy.name {
            PolicyName::Namespaced { namespace, name } => {
                let (namespace, name) = (self.texts.share(namespace), Arc::clone(name));
                let record = self.namespaces.entry(namespace).or_default();
                record.policies.insert(name, policy);
            }
            PolicyName::Cluster(name) => {
                let key = (policy.tier, policy.priority, Arc::clone(name));
                self.policies.insert(key, policy);
            }
        }
        before
    }

    /// Removes a policy, which is returned.
    pub(crate) fn remove_policy(&mut self, name: &PolicyName) -> Option<Arc<CompiledPolicy>> {
        match name {
            PolicyName::Namespaced { namespace, name } => {
                let mut before = None;
                self.change_namespace(namespace, |it| before = it.policies.remove(name));
                before
            }
            PolicyName::Cluster(name) => {
                let keys = self.policies.keys();
                let key = keys.into_iter().find(|(_, _, it)| it == name).cloned()?;
                self.policies.remove(&key)
            }
        }
    }

    /// All policies: those of the cluster in the order of their evaluation, then those of namespaces.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<CompiledPolicy>> {
        let namespaces = self.namespaces.values();
        let of_namespaces = namespaces.flat_map(|it| it.policies.values());
        self.policies.values().chain(of_namespaces)
    }

    /// The policies of a tier that select the pods of a group, in the order of their evaluation.
    pub fn selecting<'a>(
        &'a self,
        tier: PolicyTier,
        group: &'a GroupKey,
    ) -> impl Iterator<Item = &'a Arc<CompiledPolicy>> {
        let namespace = self.namespaces.get(&group.namespace);
        let labels = namespace.and_then(|it| it.labels.as_ref());
        let of_cluster = self.policies.values();
        let of_namespace = namespace.into_iter().flat_map(|it| it.policies.values());
        let both = of_cluster
            .chain(of_namespace)
            .filter(move |it| it.tier == tier);
        both.filter(move |it| it.selects(&group.namespace, labels, &group.labels))
    }
}
