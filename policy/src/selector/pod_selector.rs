//! Which pods of which namespaces.

use std::fmt;
use std::sync::Arc;

use super::{CompiledSelector, LabelSet};

/// Some pods of some namespaces. Pods that use their node's addresses are none of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodSelector {
    /// Their namespaces.
    pub namespaces: NamespaceScope,
    /// Which of the pods there.
    pub pods: CompiledSelector,
}

/// One namespace by its name, or those with some labels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamespaceScope {
    /// The namespace with this name.
    Named(Arc<str>),
    /// The namespaces with these labels.
    Selected(CompiledSelector),
}

impl PodSelector {
    /// All pods of the cluster.
    pub fn everything() -> Self {
        Self {
            namespaces: NamespaceScope::Selected(CompiledSelector::default()),
            pods: CompiledSelector::default(),
        }
    }

    /// Whether a pod with `labels` is selected. The labels of its namespace are `None` until that
    /// namespace has been seen.
    pub fn matches(
        &self,
        namespace: &str,
        namespace_labels: Option<&LabelSet>,
        labels: &LabelSet,
    ) -> bool {
        self.namespaces.matches(namespace, namespace_labels) && self.pods.matches(labels)
    }
}

impl NamespaceScope {
    /// Whether the namespace is in it. Of a namespace that has not been seen, nothing is guessed: only
    /// what selects all namespaces selects it.
    pub fn matches(&self, namespace: &str, labels: Option<&LabelSet>) -> bool {
        match self {
            Self::Named(name) => **name == *namespace,
            Self::Selected(selector) if selector.is_empty() => true,
            Self::Selected(selector) => labels.is_some_and(|labels| selector.matches(labels)),
        }
    }
}

impl fmt::Display for PodSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pods.is_empty() {
            f.write_str("all pods")?;
        } else {
            write!(f, "pods {}", self.pods)?;
        }
        match &self.namespaces {
            NamespaceScope::Named(name) => write!(f, " in namespace {name}"),
            NamespaceScope::Selected(selector) if !selector.is_empty() => {
                write!(f, " in namespaces {selector}")
            }
            NamespaceScope::Selected(_) if self.pods.is_empty() => Ok(()),
            NamespaceScope::Selected(_) => f.write_str(" in all namespaces"),
        }
    }
}
