//! Where packets to a subnet should go, and for which subnets that is decided anew.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::kernel::{Link, link_name};

/// Where packets to a subnet go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// To a peer by its address on a link of ours, or to a gateway that leads there.
    Via {
        /// The peer's address, or the gateway's.
        gateway: IpAddr,
        /// The index of the link.
        dev: u32,
    },
    /// As [`Path::Via`], through a gateway that is on the link although no address says so
    /// (`onlink` in the route that leads there).
    Onlink {
        /// The gateway's address.
        gateway: IpAddr,
        /// The index of the link.
        dev: u32,
    },
    /// To whoever is on a link: of [`crate::rib::guest_gateway::GATEWAY`] alone.
    Link {
        /// The index of the link.
        dev: u32,
    },
    /// Nowhere but to pods' own host routes: the route of a subnet this node owns. A packet to a
    /// pod that is gone fails at once instead of looping through the default gateway.
    Unreachable,
}

impl Path {
    /// Whether it is the way to a peer.
    pub(crate) fn is_to_peer(self) -> bool {
        matches!(self, Self::Via { .. } | Self::Onlink { .. })
    }

    /// The path as `ip route` shows it, for the log: `via 192.168.1.2 dev eth0`.
    pub(crate) fn text(self, links: &[Link]) -> String {
        match self {
            Self::Via { gateway, dev } => format!("via {gateway} dev {}", link_name(dev, links)),
            Self::Onlink { gateway, dev } => {
                format!("via {gateway} dev {} onlink", link_name(dev, links))
            }
            Self::Link { dev } => format!("dev {}", link_name(dev, links)),
            Self::Unreachable => "unreachable".to_owned(),
        }
    }
}

/// What should be, by subnet.
pub(crate) type Desired = BTreeMap<IpNet, Path>;

/// Which destinations to compare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All that are desired or there.
    All,
    /// These.
    Only(BTreeSet<IpNet>),
}
