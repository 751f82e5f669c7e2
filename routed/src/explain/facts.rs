//! The facts about the path between two pods.

use std::net::IpAddr;

use ipnet::IpNet;
use wire::node::NodeName;

use crate::doctor::Setting;
use crate::firewall::Survey;
use crate::packet_paths::Examined;
use crate::status::RouteTarget;

/// The facts about the path between two pods. A fact that could not be read has the reason instead.
#[derive(Debug, Clone)]
pub(super) struct PathFacts {
    /// This node's name, if it has one yet.
    pub(super) node: Option<NodeName>,
    pub(super) ends: [PodFacts; 2],
    /// The kernel setting for forwarding.
    pub(super) forwarding: Setting,
    /// The chains of the packet filter that drop forwarded packets.
    pub(super) firewall: Result<Survey, String>,
    /// What the kernel would do with the packets between the pods.
    pub(super) packets: Result<Examined, String>,
}

/// One of the two pods.
#[derive(Debug, Clone)]
pub(super) struct PodFacts {
    /// As it was given on the command line.
    pub(super) name: String,
    pub(super) address: IpAddr,
    /// The subnet that contains the address, with its owner; `None` if it is not claimed.
    pub(super) claim: Result<Option<(IpNet, NodeName)>, String>,
    pub(super) location: PodLocation,
}

/// Where a pod is.
#[derive(Debug, Clone)]
pub(super) enum PodLocation {
    /// On this node.
    Local(LocalPod),
    /// On another node.
    Remote(Box<RemotePod>),
    /// On no known node.
    Unknown,
}

/// A pod of this node.
#[derive(Debug, Clone)]
pub(super) struct LocalPod {
    /// The attachment that holds the address.
    pub(super) holder: Option<AddressHolder>,
    /// The kernel's route to exactly the address.
    pub(super) route: Option<KernelRoute>,
    /// The subnets in this node's own file.
    pub(super) owned: Vec<IpNet>,
}

/// The attachment that holds an address.
#[derive(Debug, Clone)]
pub(super) struct AddressHolder {
    /// The pod or the container, as text.
    pub(super) name: String,
    /// The name of its host end.
    pub(super) interface: String,
    pub(super) state: LinkState,
}

/// The state of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkState {
    Missing,
    Down,
    NoCarrier,
    Up,
}

/// A route of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KernelRoute {
    /// The name of its link.
    pub(super) dev: Option<String>,
    pub(super) via: Option<IpAddr>,
    /// As `ip route` writes it.
    pub(super) text: String,
}

/// A pod of another node.
#[derive(Debug, Clone)]
pub(super) struct RemotePod {
    pub(super) node: NodeName,
    /// The addresses of the node, if they are known.
    pub(super) addresses: Vec<IpAddr>,
    /// Whether the node is present, if that is known.
    pub(super) present: Option<bool>,
    /// The desired route of this node's daemon; `None` if it does not run.
    pub(super) desired: Option<DesiredRoute>,
    /// The route that the kernel chooses for the address, or why it has none.
    pub(super) actual: Result<KernelRoute, String>,
    /// The next hop of that route, if it has one.
    pub(super) next_hop: Option<ProbedNextHop>,
}

/// The desired route to a subnet, as the daemon knows it.
#[derive(Debug, Clone, Default)]
pub(super) struct DesiredRoute {
    /// `None` if the subnet gets no route.
    pub(super) target: Option<RouteTarget>,
    /// Why it gets none, or why the kernel does not have it.
    pub(super) reason: Option<String>,
}

/// A next hop.
#[derive(Debug, Clone)]
pub(super) struct ProbedNextHop {
    pub(super) address: IpAddr,
    pub(super) link: String,
    pub(super) link_state: LinkState,
    pub(super) probe: ProbeResult,
}

/// The result of probing a next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProbeResult {
    /// It answered.
    Answered,
    /// Its hardware address is known, but it did not answer.
    Silent,
    /// No host answered ARP or neighbour discovery for the address.
    Unresolved,
}
