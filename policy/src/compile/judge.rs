//! What the policies say of a connection of a pod, step by step. This reads the policies, not the rules
//! that are made of them.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::cluster::{Cluster, GroupKey, PodRecord};
use crate::policies::{CompiledPeer, CompiledPolicy, CompiledRule, PolicyTier, PortMatch};
use crate::rules::{
    DirectionVerdict, PodConnection, PolicyName, RuleAction, RuleSource, TrafficDirection,
    VerdictReason,
};

/// What one end of a connection says of it, and how that comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectionExplanation {
    /// Which end: `Egress` is that of the source.
    pub direction: TrafficDirection,
    /// The policies that were asked, in their order.
    pub steps: Vec<ExplainStep>,
    /// What they came to.
    pub verdict: DirectionVerdict,
}

/// A policy that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainStep {
    /// The policy.
    pub policy: PolicyName,
    /// Its tier.
    pub tier: PolicyTier,
    /// What it says.
    pub outcome: StepOutcome,
}

/// What a policy says of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepOutcome {
    /// None of its rules matches.
    NoMatch,
    /// This rule of it matches, and does this.
    Match(RuleAction, RuleSource),
}

/// The pod at one end, and its address of the connection.
pub(super) struct PodEnd<'a> {
    pub(super) pod: &'a PodRecord,
    pub(super) address: IpAddr,
    /// `None` for a pod that uses its node's addresses.
    pub(super) group: Option<&'a Arc<GroupKey>>,
}

/// A connection of two pods, as one of them sees it.
pub(super) struct Judge<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) direction: TrafficDirection,
    pub(super) own: &'a PodEnd<'a>,
    pub(super) other: &'a PodEnd<'a>,
    pub(super) connection: PodConnection,
}

impl Judge<'_> {
    /// Asks the policies in their order.
    pub(super) fn explain(&self) -> DirectionExplanation {
        let mut steps = Vec::new();
        let verdict = self.judge(&mut steps);
        DirectionExplanation {
            direction: self.direction,
            steps,
            verdict,
        }
    }

    fn judge(&self, steps: &mut Vec<ExplainStep>) -> DirectionVerdict {
        let (own, other) = (self.own, self.other);
        if own.address == other.address {
            return DirectionVerdict::new(true, VerdictReason::Itself);
        }
        let Some(group) = own.group else {
            return DirectionVerdict::new(true, VerdictReason::NotIsolated);
        };
        if other.group.is_none() && !own.pod.node.is_empty() && own.pod.node == other.pod.node {
            return DirectionVerdict::new(true, VerdictReason::OwnNode);
        }
        if let Some(verdict) = self.ask_cluster(PolicyTier::Admin, group, steps) {
            return verdict;
        }
        let mut isolating = self.selecting(PolicyTier::NetworkPolicy, group);
        isolating.retain(|it| it.does_isolate(self.direction));
        for policy in &isolating {
            if let Some((action, source)) = self.ask(policy, steps) {
                let reason = VerdictReason::Rule(source);
                return DirectionVerdict::new(action == RuleAction::Accept, reason);
            }
        }
        if !isolating.is_empty() {
            let names = isolating.iter().map(|it| it.name.clone());
            return DirectionVerdict::new(false, VerdictReason::Isolated(names.collect()));
        }
        if let Some(verdict) = self.ask_cluster(PolicyTier::Baseline, group, steps) {
            return verdict;
        }
        let reason = if steps.is_empty() {
            VerdictReason::NotIsolated
        } else {
            VerdictReason::NoRule
        };
        DirectionVerdict::new(true, reason)
    }

    /// Asks the policies of a tier of the cluster: `None` if none decides, or if one passes.
    fn ask_cluster(
        &self,
        tier: PolicyTier,
        group: &GroupKey,
        steps: &mut Vec<ExplainStep>,
    ) -> Option<DirectionVerdict> {
        for policy in self.selecting(tier, group) {
            match self.ask(&policy, steps) {
                None => {}
                Some((RuleAction::Pass, _)) => return None,
                Some((action, source)) => {
                    let reason = VerdictReason::Rule(source);
                    return Some(DirectionVerdict::new(action == RuleAction::Accept, reason));
                }
            }
        }
        None
    }

    fn selecting(&self, tier: PolicyTier, group: &GroupKey) -> Vec<Arc<CompiledPolicy>> {
        let mut selecting = self.cluster.selecting(group);
        selecting.retain(|it| it.tier == tier);
        selecting
    }

    fn ask(
        &self,
        policy: &CompiledPolicy,
        steps: &mut Vec<ExplainStep>,
    ) -> Option<(RuleAction, RuleSource)> {
        let rules = policy.rules(self.direction);
        if rules.is_empty() && !policy.does_isolate(self.direction) {
            return None;
        }
        let rule = rules.iter().find(|it| self.does_match(it));
        let found = rule.map(|it| (it.action, it.source.clone()));
        let outcome = found.clone();
        steps.push(ExplainStep {
            policy: policy.name.clone(),
            tier: policy.tier,
            outcome: outcome.map_or(StepOutcome::NoMatch, |(action, source)| {
                StepOutcome::Match(action, source)
            }),
        });
        found
    }

    fn does_match(&self, rule: &CompiledRule) -> bool {
        let does_port_match = match &rule.ports {
            None => true,
            Some(ports) => ports.iter().any(|it| self.does_port_match(it)),
        };
        does_port_match && rule.peers.iter().any(|it| self.does_peer_match(it))
    }

    fn does_peer_match(&self, peer: &CompiledPeer) -> bool {
        match peer {
            CompiledPeer::Everything => true,
            CompiledPeer::Networks(networks) => networks.contains(self.other.address),
            CompiledPeer::Pods(pods) => self.other.group.is_some_and(|group| {
                let labels = self.cluster.namespace_labels(&group.namespace);
                pods.matches(&group.namespace, labels, &group.labels)
            }),
        }
    }

    fn does_port_match(&self, port: &PortMatch) -> bool {
        let connection = &self.connection;
        match port {
            PortMatch::Range {
                protocol,
                first,
                last,
            } => *protocol == connection.protocol && (*first..=*last).contains(&connection.port),
            PortMatch::Named { name, protocol } => {
                let destination = match self.direction {
                    TrafficDirection::Egress => self.other,
                    TrafficDirection::Ingress => self.own,
                };
                let ports = destination.group.into_iter().flat_map(|it| it.ports.iter());
                let mut named = ports.filter(|it| it.name == **name);
                named.any(|it| {
                    it.port == connection.port
                        && it.protocol == connection.protocol
                        && protocol.is_none_or(|protocol| protocol == it.protocol)
                })
            }
        }
    }
}

/// For example `cnp no-tenants: rule 2 denies it`.
impl fmt::Display for ExplainStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.policy)?;
        let (action, source) = match &self.outcome {
            StepOutcome::NoMatch => return f.write_str("no rule matches"),
            StepOutcome::Match(action, source) => (action, source),
        };
        match &source.rule {
            Some(rule) => write!(f, "rule {rule} ")?,
            None => f.write_str("a rule ")?,
        }
        f.write_str(match action {
            RuleAction::Accept => "allows it",
            RuleAction::Deny => "denies it",
            RuleAction::Pass => "passes it on",
        })
    }
}

/// The steps, then what they came to.
impl fmt::Display for DirectionExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{}: {step}", self.direction)?;
        }
        let word = if self.verdict.is_allowed {
            "allowed"
        } else {
            "denied"
        };
        let reason = match &self.verdict.reason {
            VerdictReason::Rule(_) => format!("by {}", self.verdict.reason),
            VerdictReason::Isolated(policies) => {
                let names: Vec<_> = policies.iter().map(ToString::to_string).collect();
                format!("isolated by {}", names.join(", "))
            }
            other => other.to_string(),
        };
        write!(f, "{}: {word}: {reason}", self.direction)
    }
}
