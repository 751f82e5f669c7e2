//! The way of a packet from one pod to another, link by link, as far as this node can see: facts
//! are collected from files, the kernel, the registry and the daemon, and what they mean is a pure
//! function of them.

mod collect;
mod ownership;
mod probe;
mod walk;

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;
use wire::node::NodeName;

pub(crate) use self::collect::{Unusable, collect};
pub(crate) use self::walk::walk;
use crate::doctor::Severity;
use crate::firewall::Survey;

/// One link of the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PathStep {
    /// Whose it is: a pod, or this node.
    pub(crate) of: String,
    /// What it is.
    pub(crate) link: &'static str,
    pub(crate) verdict: Severity,
    /// What was seen.
    pub(crate) evidence: String,
    /// What to do about it.
    pub(crate) fix: Option<String>,
}

/// What is known.
#[derive(Debug, Clone)]
pub(crate) struct PathFacts {
    /// This node's name, where it has one yet.
    pub(crate) node: Option<NodeName>,
    pub(crate) ends: [Endpoint; 2],
    /// The setting that says whether this node forwards, and its value.
    pub(crate) forwarding: (String, Result<String, String>),
    /// What drops packets.
    pub(crate) firewall: Result<Survey, String>,
}

/// One of the two pods.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// As it was asked for.
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    /// Who owns the subnet of its address; `None` where nobody does.
    pub(crate) claim: Result<Option<(IpNet, NodeName)>, String>,
    pub(crate) place: PodLocation,
}

/// Where a pod is.
#[derive(Debug, Clone)]
pub(crate) enum PodLocation {
    /// On this node.
    Here(LocalPod),
    /// On another.
    There(Box<RemotePod>),
    /// Nobody knows.
    Nowhere,
}

/// A pod of this node.
#[derive(Debug, Clone)]
pub(crate) struct LocalPod {
    /// Who holds its address.
    pub(crate) holder: Option<AddressHolder>,
    /// What the kernel has for its address.
    pub(crate) route: Option<KernelRoute>,
    /// The subnets that this node says it owns.
    pub(crate) owned: Vec<IpNet>,
}

/// Who holds an address.
#[derive(Debug, Clone)]
pub(crate) struct AddressHolder {
    /// In words.
    pub(crate) who: String,
    /// The name that the host end of its interface has to have.
    pub(crate) interface: String,
    /// That interface, if it is there: whether it is up, and has a carrier.
    pub(crate) state: Option<(bool, bool)>,
}

/// A route of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KernelRoute {
    /// The link it leads over.
    pub(crate) dev: Option<String>,
    pub(crate) via: Option<IpAddr>,
    /// In words.
    pub(crate) text: String,
}

/// A pod of another node.
#[derive(Debug, Clone)]
pub(crate) struct RemotePod {
    pub(crate) node: NodeName,
    /// Its addresses, where they are known.
    pub(crate) addresses: Vec<IpAddr>,
    /// Whether its `routed` shows signs of life, where that is known.
    pub(crate) present: Option<bool>,
    /// Where its subnet should lead, and why nowhere, as the daemon of this node says; `None`
    /// where it does not run.
    pub(crate) wanted: Option<(Option<crate::status::RouteTarget>, Option<String>)>,
    /// What a packet to the pod does, or why it cannot be sent.
    pub(crate) taken: Result<KernelRoute, String>,
    /// The next hop, where the packet has one.
    pub(crate) hop: Option<NextHop>,
}

/// The next hop.
#[derive(Debug, Clone)]
pub(crate) struct NextHop {
    pub(crate) address: IpAddr,
    pub(crate) link: String,
    /// Whether the link is up, and has a carrier.
    pub(crate) state: Option<(bool, bool)>,
    pub(crate) answer: ProbeResult,
}

/// What comes of sending something to the next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeResult {
    /// It answered.
    Alive,
    /// Its hardware address is known, and it did not answer.
    Silent,
    /// Nobody says who has the address.
    Unresolved,
}
