//! The status of `routed`, for the command line, as JSON and as metrics. It is made for each query,
//! from what the daemon knows anyway.

mod collect;
pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod policy;
pub(crate) mod query;
mod readiness;
mod troubles;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use daemonkit::http::HttpState;
use ipnet::IpNet;
use registry::Presence;
use serde::{Deserialize, Serialize};
use wire::node::NodeName;

pub(crate) use self::collect::Collector;
use self::policy::PolicyStatus;
pub(crate) use self::troubles::first_few;
use crate::kernel::{self, NodeLink};
pub(crate) use crate::membership::absence::AbsentSince;
use crate::rib::path::RoutePath;

/// The status of the node and its `routed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    pub(crate) network: String,
    pub(crate) node: NodeName,
    pub(crate) version: String,
    pub(crate) pid: u32,
    /// When the daemon started, in seconds since 1970.
    pub(crate) since: u64,
    /// What needs attention, as sentences. Empty if all is well.
    pub(crate) troubles: Vec<String>,
    /// Notices that need no action, as sentences.
    pub(crate) remarks: Vec<String>,
    /// What is missing before pods can be served, as sentences. Empty if the node is ready.
    pub(crate) missing: Vec<String>,
    /// The path of the conflist, which is installed once the node is ready.
    pub(crate) conflist: PathBuf,
    /// The addresses by which peers reach this node.
    pub(crate) addresses: Vec<IpAddr>,
    /// The subnets it owns.
    pub(crate) subnets: Vec<IpNet>,
    pub(crate) registry: RegistryStatus,
    pub(crate) nodes: NodeCounts,
    pub(crate) routes: RouteCounts,
    /// The number of claims without a route, by reason.
    pub(crate) claims_without_route: BTreeMap<String, usize>,
    pub(crate) conflicts: Conflicts,
    /// The enforcement of NetworkPolicies; absent if the conflist has no `policy` section.
    pub(crate) policy: Option<PolicyStatus>,
    /// The HTTP server; absent if it is switched off.
    pub(crate) http: Option<HttpState>,
    /// The use of the node's subnets, by family.
    pub(crate) pods: BTreeMap<String, AddressUsage>,
}

/// The registry as this node sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegistryStatus {
    /// Whether it is a file of this node.
    pub(crate) local: bool,
    pub(crate) connected: bool,
    /// The last revision that was read; 0 before the first.
    pub(crate) revision: i64,
    /// Seconds since the connection was lost; 0 while it is connected.
    pub(crate) lag_seconds: f64,
    /// Why it is out of reach, if it is.
    pub(crate) why: Option<String>,
    /// Why it is not trusted, so that all routes are kept.
    pub(crate) distrust: Option<String>,
    /// The routes that stay although it lacks their claims, and the nodes that owned them.
    pub(crate) held: BTreeMap<IpNet, Option<NodeName>>,
    /// Whether peers can see that this node is alive.
    pub(crate) present: bool,
    /// How many records are ignored.
    pub(crate) ignored: usize,
    /// The first of them, by key, and why.
    pub(crate) ignored_records: BTreeMap<String, String>,
}

/// The number of nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeCounts {
    pub(crate) present: usize,
    pub(crate) absent: usize,
}

/// The number of routes, including those of this node's own subnets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RouteCounts {
    /// Routes that should be in the kernel.
    pub(crate) desired: usize,
    /// Routes of ours that are in the kernel.
    pub(crate) actual: usize,
    /// Desired routes that are missing or differ.
    pub(crate) missing: usize,
    /// The number of changes since the daemon started, by kind.
    pub(crate) changes: BTreeMap<String, u64>,
}

/// Conflicts with other programs and nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Conflicts {
    /// Routes of other programs to prefixes that need a route of ours.
    pub(crate) routes: usize,
    /// Claims of other nodes to subnets that this node owns.
    pub(crate) claims: usize,
}

/// The number of addresses of this node's subnets, by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AddressUsage {
    pub(crate) used: u64,
    pub(crate) cooling: u64,
    pub(crate) free: u128,
}

/// A node of the network as this one sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeRow {
    pub(crate) node: NodeName,
    pub(crate) addresses: Vec<IpAddr>,
    /// Whether its `routed` is present in the registry, if that is known.
    pub(crate) present: Option<bool>,
    /// Since when its `routed` runs, in seconds since 1970 by that node's clock.
    pub(crate) present_since: Option<u64>,
    pub(crate) absent_since: Option<AbsentSince>,
    /// The version of its `routed`, if that is known.
    pub(crate) version: Option<String>,
    pub(crate) subnets: Vec<IpNet>,
    /// Whether this node routes its subnets.
    pub(crate) verdict: NodeVerdict,
    /// Why there is no route, as sentences.
    pub(crate) why: Vec<String>,
}

/// The version of a node's `routed`; `None` with Kubernetes, whose Nodes do not have it.
pub(crate) fn version_of(presence: &Presence) -> Option<String> {
    Some(presence.version.clone()).filter(|version| !version.is_empty())
}

/// Whether this node has routes to a node's subnets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NodeVerdict {
    /// It is this node.
    Own,
    /// All of them have a route.
    Routed,
    /// It owns no subnet.
    NoSubnet,
    /// Not all of them have a route.
    NotRouted,
    /// Unknown without a running `routed`.
    Unknown,
}

/// A desired route, or a claim without a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RouteRow {
    pub(crate) subnet: IpNet,
    /// The owner of the subnet, if it is known.
    pub(crate) node: Option<NodeName>,
    /// The target, if there should be a route.
    pub(crate) desired: Option<RouteTarget>,
    /// Whether it stays although the registry lacks its claim.
    pub(crate) held: bool,
    /// Why it is not in the kernel, by kind.
    pub(crate) obstacle: Option<RouteObstacle>,
    /// Why there is no route, or not the desired one.
    pub(crate) why: Option<String>,
}

/// Why a route is not in the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RouteObstacle {
    /// Another program's route has the same prefix.
    Conflict,
    /// The kernel refused it.
    Refused,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RouteTarget {
    /// An unreachable route to a subnet that this node owns; pods have more specific routes.
    Unreachable,
    /// On a link, without a gateway: the route to the pods' gateway address.
    Link {
        /// The link's name.
        dev: String,
    },
    /// To a peer.
    Via {
        /// Its address.
        gateway: IpAddr,
        /// The name of the link.
        dev: String,
    },
}

impl RouteTarget {
    /// The target of `path`, with the name of its link among `links`.
    pub(crate) fn of(path: RoutePath, links: &[NodeLink]) -> Self {
        match path {
            RoutePath::Unreachable => Self::Unreachable,
            RoutePath::Link { dev } => Self::Link {
                dev: kernel::link_name(dev, links),
            },
            RoutePath::Via { gateway, dev } | RoutePath::Onlink { gateway, dev } => Self::Via {
                gateway,
                dev: kernel::link_name(dev, links),
            },
        }
    }
}

impl fmt::Display for RouteTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("unreachable"),
            Self::Link { dev } => write!(f, "dev {dev}"),
            Self::Via { gateway, dev } => write!(f, "via {gateway} dev {dev}"),
        }
    }
}
