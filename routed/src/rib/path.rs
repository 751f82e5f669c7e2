//! The path of a route (its next hop and link), and the scope of an update.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::kernel::{NodeLink, link_name};

/// Where packets to a subnet go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RoutePath {
    /// To a peer on a link of this node, or to a gateway that leads there.
    Via {
        /// The peer's address, or the gateway's.
        gateway: IpAddr,
        /// The index of the link.
        dev: u32,
    },
    /// As [`RoutePath::Via`], through a gateway that is on the link although no prefix contains it
    /// (`onlink` in the route that leads there).
    Onlink {
        /// The gateway's address.
        gateway: IpAddr,
        /// The index of the link.
        dev: u32,
    },
    /// To all hosts on a link, without a gateway: only for [`crate::rib::guest_gateway::GATEWAY`].
    Link {
        /// The index of the link.
        dev: u32,
    },
    /// Unreachable, except for the pods' host routes: the route of a subnet that this node owns. A
    /// packet to a deleted pod fails at once instead of looping through the default gateway.
    Unreachable,
}

impl RoutePath {
    /// Whether the path leads to a peer.
    pub(crate) fn is_to_peer(self) -> bool {
        self.dev_to_peer().is_some()
    }

    /// The index of the link of a path that leads to a peer.
    pub(crate) fn dev_to_peer(self) -> Option<u32> {
        match self {
            Self::Via { dev, .. } | Self::Onlink { dev, .. } => Some(dev),
            Self::Link { .. } | Self::Unreachable => None,
        }
    }

    /// The path as `ip route` shows it, for the log: `via 192.168.1.2 dev eth0`.
    pub(crate) fn text(self, links: &[NodeLink]) -> String {
        match self {
            Self::Via { gateway, dev } | Self::Onlink { gateway, dev } => {
                format!("via {gateway} dev {}", link_name(dev, links))
            }
            Self::Link { dev } => format!("dev {}", link_name(dev, links)),
            Self::Unreachable => "unreachable".to_owned(),
        }
    }
}

/// The desired routes, by destination.
pub(crate) type Desired = BTreeMap<IpNet, RoutePath>;

/// The destinations that an update is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UpdateScope {
    /// All that are desired or in the kernel.
    All,
    /// These.
    Only(BTreeSet<IpNet>),
}
