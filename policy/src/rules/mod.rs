//! The rules of one node in a form between policies and the packet filter: sets, chains of readable
//! rules, and the chains of each address of a local pod.
//!
//! For each set of addresses the kernel has one set of each address family. For each address of a
//! local pod and each direction it has the element of a verdict map: nothing for an undecided pod,
//! whose traffic is dropped; `return` for one that is not isolated; else `goto` to its chain. In a
//! chain `accept` is `return`, because the other direction judges too, and `pass` is what the end of
//! the chain is: `return`, or `goto` to the next one.

mod change;
mod local;
mod print;
mod rule;
mod set;
mod verdict;

use std::collections::BTreeMap;
use std::net::IpAddr;

pub use change::{Change, ElementChange};
pub use local::{LocalAddress, PodChain, PodName};
pub use rule::{
    ChainEnd, ChainRule, PolicyName, RuleAction, RuleChain, RulePeer, RulePorts, RuleSource,
    TrafficDirection,
};
pub use set::{ChainId, PeerSet, PortRange, SetContent, SetElement, SetId};
pub use verdict::{ConnectionVerdict, DirectionVerdict, PodConnection, VerdictReason};

/// All rules of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// The sets. Each is referred to by a chain.
    pub sets: BTreeMap<SetId, PeerSet>,
    /// The chains. Each is used by a local pod or continues another chain.
    pub chains: BTreeMap<ChainId, RuleChain>,
    /// The addresses of the node's own pods. An address always reaches itself.
    pub local: BTreeMap<IpAddr, LocalAddress>,
}

#[cfg(test)]
mod tests;
