//! Policies, compiled: both kinds of the API in one form, with everything checked.
//!
//! What the API server should have refused is a problem of the policy, and fails closed: a peer or port
//! that cannot be read allows nothing.

mod cluster_network_policy;
mod network_policy;
mod networks;
mod ports;

use std::sync::Arc;

use crate::api::L4Protocol;
use crate::rules::{PolicyName, RuleAction, RuleSource, TrafficDirection};
use crate::selector::{LabelSet, PodSelector};

pub use networks::NetworkSet;

/// A policy that can be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledPolicy {
    /// Which policy.
    pub name: PolicyName,
    /// When it is evaluated.
    pub tier: PolicyTier,
    /// Its precedence within the tier; lower numbers come first. 0 for NetworkPolicies.
    pub priority: i32,
    /// The pods that it selects; `None` if that cannot be read, and then it selects none.
    pub subject: Option<PodSelector>,
    /// Whether it isolates the pods for connections that they begin.
    pub isolates_egress: bool,
    /// Whether it isolates the pods for connections that come to them.
    pub isolates_ingress: bool,
    /// The rules for connections that the pods begin.
    pub egress: Vec<CompiledRule>,
    /// The rules for connections that come to the pods.
    pub ingress: Vec<CompiledRule>,
    /// What the API server should have refused, or what cannot be done, in plain words.
    pub problems: Vec<String>,
}

/// The order in which policies are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyTier {
    /// Policies of the cluster that come first.
    Admin,
    /// Policies of the namespaces.
    NetworkPolicy,
    /// Policies of the cluster for pods that no NetworkPolicy isolates.
    Baseline,
}

/// A rule of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledRule {
    /// What it does.
    pub action: RuleAction,
    /// The other ends: any of them.
    pub peers: Vec<CompiledPeer>,
    /// The ports: any of them, or, if `None`, everything.
    pub ports: Option<Vec<PortMatch>>,
    /// Where it comes from.
    pub source: RuleSource,
}

/// The other end of connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompiledPeer {
    /// Everything.
    Everything,
    /// These pods.
    Pods(PodSelector),
    /// These addresses.
    Networks(NetworkSet),
}

/// Destination ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortMatch {
    /// By number, from the first to the last.
    Range {
        /// The protocol.
        protocol: L4Protocol,
        /// The first port.
        first: u16,
        /// The last port.
        last: u16,
    },
    /// By the name that the destination pod gives it.
    Named {
        /// The name.
        name: Arc<str>,
        /// The protocol; any if `None`.
        protocol: Option<L4Protocol>,
    },
}

impl CompiledPolicy {
    /// Whether it selects a pod. The labels of its namespace are `None` if that has not been seen.
    pub fn selects(
        &self,
        namespace: &str,
        namespace_labels: Option<&LabelSet>,
        labels: &LabelSet,
    ) -> bool {
        let subject = self.subject.as_ref();
        subject.is_some_and(|it| it.matches(namespace, namespace_labels, labels))
    }

    /// Its rules for a direction.
    pub fn rules(&self, direction: TrafficDirection) -> &[CompiledRule] {
        match direction {
            TrafficDirection::Egress => &self.egress,
            TrafficDirection::Ingress => &self.ingress,
        }
    }

    /// Whether its pods are isolated for a direction.
    pub fn does_isolate(&self, direction: TrafficDirection) -> bool {
        match direction {
            TrafficDirection::Egress => self.isolates_egress,
            TrafficDirection::Ingress => self.isolates_ingress,
        }
    }
}

/// Adds to `problems` what went wrong with a part of a policy, and gives what did not.
fn note<T>(problems: &mut Vec<String>, part: Result<T, String>) -> Option<T> {
    part.map_err(|problem| problems.push(problem)).ok()
}

#[cfg(test)]
mod tests;
