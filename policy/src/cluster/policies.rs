//! Policies.

use std::sync::Arc;

use super::Cluster;
use super::groups::GroupKey;
use crate::policies::CompiledPolicy;
use crate::rules::PolicyName;

impl Cluster {
    /// Adds or replaces a policy; the one before is returned.
    pub(crate) fn put_policy(
        &mut self,
        policy: &Arc<CompiledPolicy>,
    ) -> Option<Arc<CompiledPolicy>> {
        let before = self.policies.remove(&policy.name);
        self.policies.insert(policy);
        before
    }

    /// Removes a policy, which is returned.
    pub(crate) fn remove_policy(&mut self, name: &PolicyName) -> Option<Arc<CompiledPolicy>> {
        self.policies.remove(name)
    }

    /// All policies, in no order.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<CompiledPolicy>> {
        self.policies.all.iter().map(|(_, policy)| policy)
    }

    /// The policies that select the pods of a group, in the order of their evaluation: by tier, priority
    /// and name.
    pub fn selecting(&self, group: &GroupKey) -> Vec<Arc<CompiledPolicy>> {
        let labels = self.namespace_labels(&group.namespace);
        let candidates = self
            .policies
            .subjects
            .candidates(&group.namespace, &group.labels);
        let policies = candidates
            .into_iter()
            .filter_map(|id| self.policies.all.get(id));
        let selecting = policies.filter(|it| it.selects(&group.namespace, labels, &group.labels));
        let mut selecting: Vec<_> = selecting.cloned().collect();
        selecting.sort_by(|one, other| {
            let key = |it: &CompiledPolicy| (it.tier, it.priority);
            let by_key = key(one).cmp(&key(other));
            by_key.then_with(|| one.name.cmp(&other.name))
        });
        selecting
    }
}
