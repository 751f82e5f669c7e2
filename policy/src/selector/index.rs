//! Which selectors can match a pod, without trying all of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::{LabelSet, NamespaceScope, PodSelector};

/// Selectors by something that a pod must have to match them. `I` names a selector.
#[derive(Debug)]
pub struct SelectorIndex<I> {
    by_label: HashMap<Arc<str>, HashMap<Arc<str>, BTreeSet<I>>>,
    by_key: HashMap<Arc<str>, BTreeSet<I>>,
    by_namespace: HashMap<Arc<str>, BTreeSet<I>>,
    others: BTreeSet<I>,
}

impl<I> Default for SelectorIndex<I> {
    fn default() -> Self {
        Self {
            by_label: HashMap::new(),
            by_key: HashMap::new(),
            by_namespace: HashMap::new(),
            others: BTreeSet::new(),
        }
    }
}

impl<I: Ord + Copy> SelectorIndex<I> {
    /// Adds a selector.
    pub fn insert(&mut self, selector: &PodSelector, id: I) {
        if let Some((key, values)) = selector.pods.required_labels() {
            let by_value = self.by_label.entry(key.clone()).or_default();
            for value in values {
                by_value.entry(value.clone()).or_default().insert(id);
            }
        } else if let Some(key) = selector.pods.required_key() {
            self.by_key.entry(key.clone()).or_default().insert(id);
        } else if let NamespaceScope::Named(name) = &selector.namespaces {
            self.by_namespace
                .entry(name.clone())
                .or_default()
                .insert(id);
        } else {
            self.others.insert(id);
        }
    }

    /// Removes a selector that was added with this `id`.
    pub fn remove(&mut self, selector: &PodSelector, id: I) {
        if let Some((key, values)) = selector.pods.required_labels() {
            if let Some(by_value) = self.by_label.get_mut(key) {
                for value in values {
                    remove_from(by_value, value, &id);
                }
                if by_value.is_empty() {
                    self.by_label.remove(key);
                }
            }
        } else if let Some(key) = selector.pods.required_key() {
            remove_from(&mut self.by_key, key, &id);
        } else if let NamespaceScope::Named(name) = &selector.namespaces {
            remove_from(&mut self.by_namespace, name, &id);
        } else {
            self.others.remove(&id);
        }
    }

    /// All selectors that match a pod of the namespace with these labels, and perhaps others; sorted.
    pub fn candidates(&self, namespace: &str, labels: &LabelSet) -> Vec<I> {
        let mut found: Vec<I> = self.others.iter().copied().collect();
        found.extend(self.by_namespace.get(namespace).into_iter().flatten());
        for (key, value) in labels.iter() {
            let by_value = self.by_label.get(key);
            let of_label = by_value.and_then(|by_value| by_value.get(value));
            found.extend(of_label.into_iter().flatten());
            found.extend(self.by_key.get(key).into_iter().flatten());
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn remove_from<I: Ord>(map: &mut HashMap<Arc<str>, BTreeSet<I>>, key: &Arc<str>, id: &I) {
    if let Some(ids) = map.get_mut(key) {
        ids.remove(id);
        if ids.is_empty() {
            map.remove(key);
        }
    }
}
