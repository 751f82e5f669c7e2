//! The chains of a local pod's address.

use std::fmt;
use std::sync::Arc;

use super::{ChainId, TrafficDirection};

/// A pod, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodName {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl PodName {
    /// The pod `namespace/name`.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for PodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Which chain judges one direction of a local pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PodChain {
    /// It is not known yet which policies select the pod: everything is dropped.
    Undecided,
    /// No policy selects the pod: everything is allowed.
    NotIsolated,
    /// This chain.
    Chain(ChainId),
}

/// What the rules say of an address of a local pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAddress {
    /// The pod that has it.
    pub pod: PodName,
    /// Connections that the pod begins.
    pub egress: PodChain,
    /// Connections that come to the pod.
    pub ingress: PodChain,
}

impl LocalAddress {
    /// The chain of a direction.
    pub fn chain(&self, direction: TrafficDirection) -> PodChain {
        match direction {
            TrafficDirection::Egress => self.egress,
            TrafficDirection::Ingress => self.ingress,
        }
    }
}
