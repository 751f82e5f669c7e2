//! All policies.

use std::collections::HashMap;
use std::sync::Arc;

use slab::Slab;

use crate::policies::CompiledPolicy;
use crate::rules::PolicyName;
use crate::selector::SelectorIndex;

/// All policies, and which of them may select a pod.
#[derive(Debug, Default)]
pub(super) struct Policies {
    pub(super) all: Slab<Arc<CompiledPolicy>>,
    by_name: HashMap<PolicyName, usize>,
    pub(super) subjects: SelectorIndex<usize>,
}

impl Policies {
    pub(super) fn insert(&mut self, policy: &Arc<CompiledPolicy>) {
        let id = self.all.insert(Arc::clone(policy));
        self.by_name.insert(policy.name.clone(), id);
        if let Some(subject) = &policy.subject {
            self.subjects.insert(subject, id);
        }
    }

    pub(super) fn remove(&mut self, name: &PolicyName) -> Option<Arc<CompiledPolicy>> {
        let id = self.by_name.remove(name)?;
        let policy = self.all.remove(id);
        if let Some(subject) = &policy.subject {
            self.subjects.remove(subject, id);
        }
        Some(policy)
    }
}
