//! ClusterNetworkPolicies (policy.networking.k8s.io/v1alpha2).
//!
//! A rule with a part that cannot be read fails closed, in the words of the API: an `Accept` rule then
//! matches nothing, and a `Deny` or `Pass` rule denies everything.

use wire::text::printable;

use super::{CompiledPeer, CompiledPolicy, CompiledRule, NetworkSet, PolicyTier, PortMatch, note};
use crate::api::{
    ClusterNetworkPolicy, ClusterNetworkPolicyPeer, ClusterNetworkPolicyRule,
    ClusterNetworkPolicySubject, LabelSelector, NamespacedPods,
};
use crate::rules::{PolicyName, RuleAction, RuleSource, TrafficDirection};
use crate::selector::{CompiledSelector, NamespaceScope, PodSelector};

impl CompiledPolicy {
    /// Compiles a policy of the cluster. One of an unknown tier selects nothing.
    pub fn of_cluster_policy(policy: &ClusterNetworkPolicy) -> Self {
        let spec = &policy.spec;
        let name = PolicyName::Cluster(policy.metadata.name.as_str().into());
        let mut problems = Vec::new();
        let tier = match spec.tier.as_str() {
            "Admin" => Some(PolicyTier::Admin),
            "Baseline" => Some(PolicyTier::Baseline),
            other => note(&mut problems, Err(format!("unknown tier {other:?}"))),
        };
        let subject = note(&mut problems, subject(&spec.subject)).filter(|_| tier.is_some());
        let mut compile = |rules: &[ClusterNetworkPolicyRule], direction| -> Vec<_> {
            let rules = rules.iter().enumerate();
            let rules = rules.map(|(at, it)| rule(&name, at + 1, it, direction, &mut problems));
            rules.collect()
        };
        let ingress = compile(&spec.ingress, TrafficDirection::Ingress);
        let egress = compile(&spec.egress, TrafficDirection::Egress);
        Self {
            tier: tier.unwrap_or(PolicyTier::Admin),
            priority: spec.priority,
            subject,
            isolates_egress: false,
            isolates_ingress: false,
            egress,
            ingress,
            problems,
            name,
        }
    }
}

fn subject(subject: &ClusterNetworkPolicySubject) -> Result<PodSelector, String> {
    match (&subject.namespaces, &subject.pods) {
        (Some(namespaces), None) => of_namespaces(namespaces),
        (None, Some(pods)) => of_pods(pods),
        _ => Err("subject must have exactly one known field".to_owned()),
    }
}

fn of_namespaces(selector: &LabelSelector) -> Result<PodSelector, String> {
    Ok(PodSelector {
        namespaces: NamespaceScope::Selected(CompiledSelector::compile(selector)?),
        pods: CompiledSelector::default(),
    })
}

fn of_pods(pods: &NamespacedPods) -> Result<PodSelector, String> {
    let namespaces = CompiledSelector::compile(&pods.namespace_selector)?;
    Ok(PodSelector {
        namespaces: NamespaceScope::Selected(namespaces),
        pods: CompiledSelector::compile(&pods.pod_selector)?,
    })
}

fn rule(
    policy: &PolicyName,
    number: usize,
    rule: &ClusterNetworkPolicyRule,
    direction: TrafficDirection,
    problems: &mut Vec<String>,
) -> CompiledRule {
    let label = match rule.name.as_str() {
        "" => number.to_string(),
        // The API takes any text.
        name => printable(name),
    };
    let (mut flaws, mut gaps) = (Vec::new(), Vec::new());
    let action = match rule.action.as_str() {
        "Accept" => RuleAction::Accept,
        "Deny" => RuleAction::Deny,
        "Pass" => RuleAction::Pass,
        other => {
            flaws.push(format!("unknown action {other:?}"));
            RuleAction::Deny
        }
    };
    let peers = peers(rule, action, direction, &mut flaws, &mut gaps);
    let protocols = rule
        .protocols
        .iter()
        .flatten()
        .map(PortMatch::of_cluster_policy);
    let ports: Vec<_> = protocols.filter_map(|it| note(&mut flaws, it)).collect();
    if rule.protocols.as_ref().is_some_and(Vec::is_empty) {
        flaws.push("protocols is empty".to_owned());
    }
    let compiled = CompiledRule {
        action,
        peers,
        ports: rule.protocols.is_some().then_some(ports),
        source: RuleSource {
            policy: policy.clone(),
            rule: Some(label.as_str().into()),
        },
    };
    let is_sound = flaws.is_empty();
    let texts = flaws.into_iter().chain(gaps);
    problems.extend(texts.map(|text| format!("{direction} rule {label}: {text}")));
    if is_sound { compiled } else { closed(compiled) }
}

/// The peers of a rule. What makes it fail closed goes to `flaws`; peers that are left out, so that an
/// `Accept` rule allows less than it says, go to `gaps`.
fn peers(
    rule: &ClusterNetworkPolicyRule,
    action: RuleAction,
    direction: TrafficDirection,
    flaws: &mut Vec<String>,
    gaps: &mut Vec<String>,
) -> Vec<CompiledPeer> {
    if rule.peers.is_empty() {
        flaws.push("it has no peers".to_owned());
    }
    let mut compiled = Vec::new();
    for it in &rule.peers {
        match unsupported(it, direction) {
            Some(text) if action == RuleAction::Accept => gaps.push(text.to_owned()),
            Some(text) => flaws.push(text.to_owned()),
            None => compiled.extend(note(flaws, peer(it, direction))),
        }
    }
    compiled
}

/// Why a peer cannot be matched although it is well known.
fn unsupported(
    peer: &ClusterNetworkPolicyPeer,
    direction: TrafficDirection,
) -> Option<&'static str> {
    if direction == TrafficDirection::Ingress {
        None
    } else if peer.nodes.is_some() {
        Some("peers by nodes are not supported")
    } else if peer.domain_names.is_some() {
        Some("peers by domainNames are not supported")
    } else {
        None
    }
}

fn peer(
    peer: &ClusterNetworkPolicyPeer,
    direction: TrafficDirection,
) -> Result<CompiledPeer, String> {
    let is_egress = direction == TrafficDirection::Egress;
    let networks = peer.networks.as_ref().filter(|_| is_egress);
    match (&peer.namespaces, &peer.pods, networks) {
        (Some(namespaces), None, None) => of_namespaces(namespaces).map(CompiledPeer::Pods),
        (None, Some(pods), None) => of_pods(pods).map(CompiledPeer::Pods),
        (None, None, Some(cidrs)) => self::networks(cidrs),
        _ => Err("a peer must have exactly one known field".to_owned()),
    }
}

fn networks(cidrs: &[String]) -> Result<CompiledPeer, String> {
    if cidrs.is_empty() {
        return Err("networks is empty".to_owned());
    }
    NetworkSet::parse(cidrs, []).map(CompiledPeer::Networks)
}

/// What a rule becomes that cannot be read.
fn closed(rule: CompiledRule) -> CompiledRule {
    let (action, peers) = match rule.action {
        RuleAction::Accept => (RuleAction::Accept, Vec::new()),
        RuleAction::Deny | RuleAction::Pass => (RuleAction::Deny, vec![CompiledPeer::Everything]),
    };
    CompiledRule {
        action,
        peers,
        ports: None,
        source: rule.source,
    }
}
