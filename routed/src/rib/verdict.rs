//! Verdicts on claims, and the messages that explain a refusal.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use ipnetwork::IpNetwork;
use wire::node::NodeName;

use crate::kernel::link_name;
use crate::rib::local_node::LocalNode;
use crate::rib::path::RoutePath;
use crate::text::{list, short_list};

/// The verdict on a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClaimVerdict {
    /// This node's own claim.
    Own,
    /// A peer's claim, with its path.
    Route(RoutePath),
    /// A peer's claim that gets no route.
    Refused(Refusal),
}

/// Why a claim gets no route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The subnet is in none of the pod CIDRs.
    OutsidePodCidrs,
    /// The subnet does not have the length that the network agreed on.
    WrongLength(u8),
    /// A peer claims what this node owns.
    OwnedHere(IpNet),
    /// The registry has no readable node record for the claim's node.
    NoRecord,
    /// The peer's record has no address yet, because its `routed` has not run.
    NotAdvertised,
    /// The peer has no address of a family that can be a gateway for the subnet.
    NoAddress,
    /// None of the peer's addresses can be a next hop.
    NoNextHop(Vec<(IpAddr, NextHopFault)>),
}

impl Refusal {
    /// The reason in JSON output, metrics and the field `error` of the log.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::OutsidePodCidrs | Self::WrongLength(_) => "invalid",
            Self::OwnedHere(_) => "conflict",
            Self::NoRecord => "unknown-peer",
            Self::NotAdvertised => "not-announced",
            Self::NoAddress => "no-address",
            Self::NoNextHop(rejected) if rejected.iter().all(|(_, fault)| fault.is_bogus()) => {
                "invalid-next-hop"
            }
            Self::NoNextHop(_) => "unreachable",
        }
    }

    /// Whether the reason is about the peer, whichever of its subnets is judged.
    pub(crate) fn is_about_peer(&self) -> bool {
        !matches!(
            self,
            Self::OutsidePodCidrs | Self::WrongLength(_) | Self::OwnedHere(_)
        )
    }

    /// Whether `other`, about the same peer, adds nothing to this refusal.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::NoNextHop(known), Self::NoNextHop(rejected)) => {
                self.name() == other.name() && rejected.iter().all(|it| known.contains(it))
            }
            _ => self.is_about_peer() && self == other,
        }
    }

    /// Whether the claim may be valid and only the peer's address is missing. Such a claim gets no
    /// route, but keeps the one it has.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self, Self::NoRecord | Self::NotAdvertised)
    }
}

/// Why an address cannot be a next hop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NextHopFault {
    /// `0.0.0.0` or `::`.
    #[error("the unspecified address")]
    Unspecified,
    /// A loopback address.
    #[error("a loopback address")]
    Loopback,
    /// A multicast address.
    #[error("a multicast address")]
    Multicast,
    /// The broadcast address, or the first or last of a connected IPv4 prefix.
    #[error("a broadcast or network address")]
    Broadcast,
    /// A link-local IPv6 address: it does not identify the link.
    #[error("a link-local address, which names no link")]
    LinkLocal,
    /// A reserved address, or an IPv4-mapped IPv6 address.
    #[error("an address that no host has")]
    Reserved,
    /// An address of this node.
    #[error("an address of this node")]
    OwnAddress,
    /// Inside a pod CIDR: the route to it would lead over itself.
    #[error("inside the pod CIDR {0}")]
    InPodCidr(IpNet),
    /// On no link of this node.
    #[error("on no connected link")]
    NotConnected,
    /// On no link of this node, and no gateway leads there.
    #[error("on no connected link, and no route leads there")]
    NoGateway,
    /// On a link that is down.
    #[error("on {0}, which is down")]
    LinkDown(String),
    /// In the prefix of an address of this node, to which the link has no route.
    #[error(
        "in the prefix of {link}, but the main table has no route to it: add it with `ip route add \
         {} dev {link}`",
        network_of(prefix)
    )]
    NoPrefixRoute {
        /// The link's name.
        link: String,
        /// The address with its prefix.
        prefix: IpNetwork,
    },
}

impl NextHopFault {
    /// Whether the peer's record is wrong, rather than the connection between the two nodes.
    pub(crate) fn is_bogus(&self) -> bool {
        !matches!(
            self,
            Self::NotConnected | Self::NoGateway | Self::LinkDown(_) | Self::NoPrefixRoute { .. }
        )
    }

    /// Whether no route over a link contains the address.
    pub(crate) fn is_about_routes(&self) -> bool {
        matches!(self, Self::NotConnected | Self::NoPrefixRoute { .. })
    }
}

/// The prefix without host bits.
fn network_of(prefix: &IpNetwork) -> String {
    let network = IpNet::new(prefix.network(), prefix.prefix());
    network.map_or_else(|_| prefix.to_string(), |it| it.to_string())
}

/// The message that explains a refusal.
pub(crate) struct RefusalMessage<'a> {
    /// The claimed subnets.
    pub(crate) subnets: &'a [IpNet],
    /// The peer that claims them.
    pub(crate) peer: &'a NodeName,
    /// Why they get no route.
    pub(crate) refusal: &'a Refusal,
    /// This node.
    pub(crate) local: &'a LocalNode,
}

impl fmt::Display for RefusalMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peer, refusal, .. } = self;
        let (local, node, subnets) = (self.local, &self.local.node, short_list(self.subnets));
        match refusal {
            Refusal::OutsidePodCidrs => write!(
                f,
                "invalid claim: {peer} claims {subnets}, which is in none of the pod CIDRs {}",
                list(&local.network.pod_cidrs)
            ),
            Refusal::WrongLength(length) => write!(
                f,
                "invalid claim: {peer} claims {subnets}, but subnets of this network are /{length}"
            ),
            Refusal::OwnedHere(own) => write!(
                f,
                "conflicting claim: {peer} claims {subnets}, but {node} owns {own}; one of the two \
                 nodes must be drained and its claim released"
            ),
            Refusal::NoRecord => write!(
                f,
                "unknown peer: {peer} claims {subnets}, but the registry has no readable record of \
                 its addresses; a route it had stays"
            ),
            Refusal::NotAdvertised => write!(
                f,
                "waiting for {peer}: it owns {subnets} but has not advertised an address yet; is \
                 its routed running?"
            ),
            Refusal::NoAddress => write!(
                f,
                "unreachable peer: {peer} has no address of the family that {subnets} takes; give \
                 its routed one with --node-address"
            ),
            Refusal::NoNextHop(rejected) if rejected.iter().all(|(_, fault)| fault.is_bogus()) => {
                write!(
                    f,
                    "invalid next hop: {peer} gives {} for {subnets}",
                    faults(rejected)
                )
            }
            Refusal::NoNextHop(rejected) => write!(
                f,
                "unreachable peer: {peer} gives {} for {subnets}, and {node} is connected to {}{}",
                faults(rejected),
                connected(local, rejected),
                advice(rejected)
            ),
        }
    }
}

fn faults(rejected: &[(IpAddr, NextHopFault)]) -> String {
    let each: Vec<_> = rejected
        .iter()
        .map(|(address, fault)| format!("{address} ({fault})"))
        .collect();
    each.join(", ")
}

/// What is on this node's links, of the families of the rejected addresses.
fn connected(local: &LocalNode, rejected: &[(IpAddr, NextHopFault)]) -> String {
    let is_tried = |v4: bool| rejected.iter().any(|(address, _)| address.is_ipv4() == v4);
    let each: Vec<_> = local
        .connected
        .iter()
        .filter(|route| is_tried(route.dst.addr().is_ipv4()))
        .map(|route| format!("{} ({})", route.dst, link_name(route.dev, &local.links)))
        .collect();
    if each.is_empty() {
        "nothing of that family".to_owned()
    } else {
        short_list(&each)
    }
}

/// Advice for a peer on another IP subnet.
fn advice(rejected: &[(IpAddr, NextHopFault)]) -> &'static str {
    let is_apart = |(_, fault): &(IpAddr, NextHopFault)| *fault == NextHopFault::NotConnected;
    if rejected.iter().any(is_apart) {
        "; if the routers between the two know the pods' subnets, set \"crossSubnet\": \
         \"gateway\" in the flatland section"
    } else {
        ""
    }
}
