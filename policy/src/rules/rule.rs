//! A rule, as it is in a chain.

use std::fmt;
use std::sync::Arc;

use ipnet::IpNet;

use super::{ChainId, PortRange, SetId};
use crate::api::L4Protocol;

/// Which way connections go, seen from the pod whose rules these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrafficDirection {
    /// Connections that the pod begins.
    Egress,
    /// Connections that come to the pod.
    Ingress,
}

impl TrafficDirection {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Egress, Self::Ingress];
}

impl fmt::Display for TrafficDirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
        })
    }
}

/// What a rule does with connections that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleAction {
    /// This direction allows them; the other still judges them.
    Accept,
    /// They are dropped.
    Deny,
    /// The end of the chain decides, as if no rule had matched.
    Pass,
}

impl fmt::Display for RuleAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept => "accept",
            Self::Deny => "deny",
            Self::Pass => "pass",
        })
    }
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyName {
    /// A NetworkPolicy.
    Namespaced {
        /// Its namespace.
        namespace: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
    /// A ClusterNetworkPolicy, by its name.
    Cluster(Arc<str>),
}

/// `shop/allow-web`, or `cnp no-tenants` for a policy of the cluster.
impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespaced { namespace, name } => write!(f, "{namespace}/{name}"),
            Self::Cluster(name) => write!(f, "cnp {name}"),
        }
    }
}

/// The rule of a policy that a rule of a chain is made of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleSource {
    /// The policy.
    pub policy: PolicyName,
    /// The rule's name, or its number from 1 within its direction. `None` for NetworkPolicies, whose
    /// rules have neither names nor an order.
    pub rule: Option<Arc<str>>,
}

impl RuleSource {
    /// The comment of the rule in the kernel: the same for all rules made of one rule of a policy, and
    /// the same after a restart. Counters and the log are read by it.
    pub fn comment(&self) -> String {
        match self.policy {
            PolicyName::Namespaced { .. } => format!("np {self}"),
            PolicyName::Cluster(_) => self.to_string(),
        }
    }
}

impl fmt::Display for RuleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.policy.fmt(f)?;
        match &self.rule {
            Some(rule) => write!(f, " rule {rule}"),
            None => Ok(()),
        }
    }
}

/// The other end of the connections that a rule matches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RulePeer {
    /// Everything, pods or not.
    Everything,
    /// The addresses in a set of pods ([`super::SetContent::Pods`]).
    Pods(SetId),
    /// The addresses of a prefix.
    Network(IpNet),
    /// The addresses in a set of prefixes ([`super::SetContent::Networks`]).
    Networks(SetId),
}

/// The destination ports of the connections that a rule matches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RulePorts {
    /// Everything, with ports or without.
    Any,
    /// Some ports of a protocol. From 0 to 65535 is the whole protocol.
    Range {
        /// The protocol.
        protocol: L4Protocol,
        /// The ports.
        range: PortRange,
    },
    /// The ports in a set of them ([`super::SetContent::PortRanges`]).
    Ranges {
        /// Their protocol.
        protocol: L4Protocol,
        /// The set.
        set: SetId,
    },
    /// Destinations in a set of addresses, protocols and ports ([`super::SetContent::NamedPorts`]).
    Named(SetId),
}

/// A rule of a chain: the first that matches decides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainRule {
    /// What it does.
    pub action: RuleAction,
    /// With which peers.
    pub peer: RulePeer,
    /// And which ports.
    pub ports: RulePorts,
    /// Where it comes from.
    pub source: RuleSource,
}

/// What becomes of connections that no rule of a chain decides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChainEnd {
    /// This direction allows them.
    Accept,
    /// They are dropped, because these policies isolate the pod. Sorted, and never empty.
    Deny(Arc<[PolicyName]>),
    /// Another chain decides. Its number is lower.
    Continue(ChainId),
}

/// The rules of one direction for pods that have the same rules.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleChain {
    /// Which direction it judges.
    pub direction: TrafficDirection,
    /// The rules, in their order. Clones share them.
    pub rules: Arc<[ChainRule]>,
    /// What comes after them.
    pub end: ChainEnd,
}

impl ChainRule {
    /// The sets that it refers to.
    pub fn sets(&self) -> impl Iterator<Item = SetId> + use<> {
        let of_peer = match self.peer {
            RulePeer::Pods(id) | RulePeer::Networks(id) => Some(id),
            RulePeer::Everything | RulePeer::Network(_) => None,
        };
        let of_ports = match self.ports {
            RulePorts::Named(id) | RulePorts::Ranges { set: id, .. } => Some(id),
            RulePorts::Any | RulePorts::Range { .. } => None,
        };
        of_peer.into_iter().chain(of_ports)
    }
}
