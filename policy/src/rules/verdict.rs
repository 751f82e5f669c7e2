//! What the rules say of a connection: the chains are walked as the kernel walks them.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::{
    ChainEnd, ChainId, ChainRule, PodChain, PolicyName, RuleAction, RulePeer, RulePorts,
    RuleSource, Ruleset, TrafficDirection,
};
use crate::api::L4Protocol;

/// A connection, by its first packet at the pods: after a Service's address has been translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodConnection {
    /// Who begins it.
    pub source: IpAddr,
    /// Who is to answer.
    pub destination: IpAddr,
    /// Its protocol.
    pub protocol: L4Protocol,
    /// The destination port; 0 for protocols without ports.
    pub port: u16,
}

/// What the rules of a node say of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionVerdict {
    /// At its source; `None` if that is no pod of this node.
    pub egress: Option<DirectionVerdict>,
    /// At its destination; `None` if that is no pod of this node.
    pub ingress: Option<DirectionVerdict>,
}

/// What one end of a connection says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectionVerdict {
    /// Whether this end allows it.
    pub is_allowed: bool,
    /// Why.
    pub reason: VerdictReason,
}

/// What decided about a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerdictReason {
    /// A pod always reaches itself.
    Itself,
    /// A pod and its own node always reach each other.
    OwnNode,
    /// It is not known yet which policies select the pod.
    Undecided,
    /// No policy selects the pod.
    NotIsolated,
    /// This rule.
    Rule(RuleSource),
    /// No rule allows it, and these policies isolate the pod.
    Isolated(Arc<[PolicyName]>),
    /// No rule of the cluster's policies matches, and no NetworkPolicy isolates the pod.
    NoRule,
}

impl ConnectionVerdict {
    /// Whether the node lets it pass.
    pub fn is_allowed(&self) -> bool {
        let mut both = self.egress.iter().chain(&self.ingress);
        both.all(|it| it.is_allowed)
    }

    /// The verdict of one direction.
    pub fn direction(&self, direction: TrafficDirection) -> Option<&DirectionVerdict> {
        match direction {
            TrafficDirection::Egress => self.egress.as_ref(),
            TrafficDirection::Ingress => self.ingress.as_ref(),
        }
    }
}

impl DirectionVerdict {
    pub(crate) fn new(is_allowed: bool, reason: VerdictReason) -> Self {
        Self { is_allowed, reason }
    }
}

impl Ruleset {
    /// What the rules say of the beginning of a connection. Replies follow their connection.
    pub fn verdict(&self, connection: &PodConnection) -> ConnectionVerdict {
        ConnectionVerdict {
            egress: self.judge(TrafficDirection::Egress, connection),
            ingress: self.judge(TrafficDirection::Ingress, connection),
        }
    }

    fn judge(
        &self,
        direction: TrafficDirection,
        connection: &PodConnection,
    ) -> Option<DirectionVerdict> {
        let own = match direction {
            TrafficDirection::Egress => connection.source,
            TrafficDirection::Ingress => connection.destination,
        };
        let local = self.local.get(&own)?;
        if connection.source == connection.destination {
            return Some(DirectionVerdict::new(true, VerdictReason::Itself));
        }
        Some(match local.chain(direction) {
            PodChain::Undecided => DirectionVerdict::new(false, VerdictReason::Undecided),
            PodChain::NotIsolated => DirectionVerdict::new(true, VerdictReason::NotIsolated),
            PodChain::Chain(id) => self.walk(id, connection),
        })
    }

    fn walk(&self, mut id: ChainId, connection: &PodConnection) -> DirectionVerdict {
        let mut passed_by = None;
        while let Some(chain) = self.chains.get(&id) {
            let mut rules = chain.rules.iter();
            let rule = rules.find(|rule| self.does_match(rule, chain.direction, connection));
            match rule.map(|rule| (rule.action, &rule.source)) {
                Some((RuleAction::Pass, source)) => passed_by = Some(source),
                Some((action, source)) => {
                    let reason = VerdictReason::Rule(source.clone());
                    return DirectionVerdict::new(action == RuleAction::Accept, reason);
                }
                None => {}
            }
            match &chain.end {
                ChainEnd::Accept => break,
                ChainEnd::Continue(next) => id = *next,
                ChainEnd::Deny(policies) => {
                    let reason = VerdictReason::Isolated(policies.clone());
                    return DirectionVerdict::new(false, reason);
                }
            }
        }
        let reason = passed_by.cloned().map(VerdictReason::Rule);
        DirectionVerdict::new(true, reason.unwrap_or(VerdictReason::NoRule))
    }

    fn does_match(
        &self,
        rule: &ChainRule,
        direction: TrafficDirection,
        connection: &PodConnection,
    ) -> bool {
        let PodConnection { protocol, port, .. } = *connection;
        let peer = match direction {
            TrafficDirection::Egress => connection.destination,
            TrafficDirection::Ingress => connection.source,
        };
        let is_in = |id, address| {
            let set = self.sets.get(id);
            set.is_some_and(|set| set.contains(address, protocol, port))
        };
        let does_peer_match = match &rule.peer {
            RulePeer::Everything => true,
            RulePeer::Network(network) => network.contains(&peer),
            RulePeer::Pods(id) | RulePeer::Networks(id) => is_in(id, peer),
        };
        does_peer_match
            && match &rule.ports {
                RulePorts::Any => true,
                RulePorts::Range {
                    protocol: of_rule,
                    range,
                } => *of_rule == protocol && range.contains(port),
                RulePorts::Ranges {
                    protocol: of_rule,
                    set,
                } => *of_rule == protocol && is_in(set, peer),
                RulePorts::Named(id) => is_in(id, connection.destination),
            }
    }
}

/// As the log says it, after `by` or `because`.
impl fmt::Display for VerdictReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Itself => f.write_str("a pod always reaches itself"),
            Self::OwnNode => f.write_str("a pod and its own node always reach each other"),
            Self::Undecided => f.write_str("the pod is not decided yet"),
            Self::NotIsolated => f.write_str("no policy selects the pod"),
            Self::Rule(source) => source.fmt(f),
            // The first in the order of the names stands for all of them.
            Self::Isolated(policies) => match policies.first() {
                Some(policy) => policy.fmt(f),
                None => f.write_str("isolation"),
            },
            Self::NoRule => f.write_str("no rule denies it"),
        }
    }
}
