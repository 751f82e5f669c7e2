//! NetworkPolicies (networking.k8s.io/v1).

use std::sync::Arc;

use super::{CompiledPeer, CompiledPolicy, CompiledRule, NetworkSet, PolicyTier, PortMatch, note};
use crate::api::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec};
use crate::rules::{PolicyName, RuleAction, RuleSource};
use crate::selector::{CompiledSelector, NamespaceScope, PodSelector};

impl CompiledPolicy {
    /// Compiles a policy of a namespace.
    pub fn of_network_policy(policy: &NetworkPolicy) -> Self {
        let (spec, namespace) = (&policy.spec, Arc::from(policy.metadata.namespace.as_str()));
        let name = PolicyName::Namespaced {
            namespace: Arc::clone(&namespace),
            name: policy.metadata.name.as_str().into(),
        };
        let mut problems = Vec::new();
        let pods = note(&mut problems, CompiledSelector::compile(&spec.pod_selector));
        let (isolates_ingress, isolates_egress) = directions(spec, &mut problems);
        let mut rules = RulesReader {
            namespace: &namespace,
            name: &name,
            problems: &mut problems,
        };
        let ingress = spec.ingress.iter().filter(|_| isolates_ingress);
        let ingress = ingress
            .map(|it| rules.compile(&it.from, &it.ports))
            .collect();
        let egress = spec.egress.iter().filter(|_| isolates_egress);
        let egress = egress.map(|it| rules.compile(&it.to, &it.ports)).collect();
        Self {
            tier: PolicyTier::NetworkPolicy,
            priority: 0,
            subject: pods.map(|pods| PodSelector {
                namespaces: NamespaceScope::Named(namespace),
                pods,
            }),
            isolates_egress,
            isolates_ingress,
            egress,
            ingress,
            problems,
            name,
        }
    }
}

/// Whether a policy isolates for ingress, and for egress.
fn directions(spec: &NetworkPolicySpec, problems: &mut Vec<String>) -> (bool, bool) {
    if spec.policy_types.is_empty() {
        return (true, !spec.egress.is_empty());
    }
    let has = |word: &str| spec.policy_types.iter().any(|it| it == word);
    let (ingress, egress) = (has("Ingress"), has("Egress"));
    let mut words = spec.policy_types.iter();
    if let Some(word) = words.find(|it| *it != "Ingress" && *it != "Egress") {
        problems.push(format!("unknown policy type {word:?}"));
    }
    (ingress, egress)
}

struct RulesReader<'a> {
    namespace: &'a Arc<str>,
    name: &'a PolicyName,
    problems: &'a mut Vec<String>,
}

impl RulesReader<'_> {
    fn compile(
        &mut self,
        peers: &[NetworkPolicyPeer],
        ports: &[NetworkPolicyPort],
    ) -> CompiledRule {
        let compiled = if peers.is_empty() {
            vec![CompiledPeer::Everything]
        } else {
            let namespace = self.namespace;
            let peers = peers.iter().map(|it| peer(namespace, it));
            peers.filter_map(|it| note(self.problems, it)).collect()
        };
        let ports = (!ports.is_empty()).then(|| {
            let ports = ports.iter().map(PortMatch::of_network_policy);
            ports.filter_map(|it| note(self.problems, it)).collect()
        });
        CompiledRule {
            action: RuleAction::Accept,
            peers: compiled,
            ports,
            source: RuleSource {
                policy: self.name.clone(),
                rule: None,
            },
        }
    }
}

fn peer(namespace: &Arc<str>, peer: &NetworkPolicyPeer) -> Result<CompiledPeer, String> {
    let selectors = (&peer.namespace_selector, &peer.pod_selector);
    match (&peer.ip_block, selectors) {
        (Some(block), (None, None)) => {
            NetworkSet::parse([&block.cidr], &block.except).map(CompiledPeer::Networks)
        }
        (None, (None, None)) => Err("a peer has no known field".to_owned()),
        (None, (namespaces, pods)) => {
            let namespaces = match namespaces {
                Some(selector) => NamespaceScope::Selected(CompiledSelector::compile(selector)?),
                None => NamespaceScope::Named(Arc::clone(namespace)),
            };
            let pods = pods.as_ref().map(CompiledSelector::compile);
            let pods = pods.transpose()?.unwrap_or_default();
            Ok(CompiledPeer::Pods(PodSelector { namespaces, pods }))
        }
        (Some(_), _) => Err("a peer has ipBlock and a selector".to_owned()),
    }
}
