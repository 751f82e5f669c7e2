//! What `routed` shows of itself: to people by way of the command line, to machines as JSON and as
//! metrics. Made when somebody asks, from what the daemon knows anyway.

mod collect;
pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod query;
mod readiness;
mod troubles;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use wire::node::NodeName;

pub(crate) use self::collect::Collector;
pub(crate) use self::troubles::few;
use crate::kernel::Link;
pub(crate) use crate::membership::absence::Since;
use crate::reconcile::messages;
use crate::rib::path::Path;

/// How the node and its `routed` are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    pub(crate) network: String,
    pub(crate) node: NodeName,
    pub(crate) version: String,
    pub(crate) pid: u32,
    /// When the daemon started, in seconds since 1970.
    pub(crate) since: u64,
    /// What needs somebody's attention, in words. All is well if there is nothing.
    pub(crate) troubles: Vec<String>,
    /// What is good to know.
    pub(crate) remarks: Vec<String>,
    /// What the node still lacks before pods can be served, in words. It is ready if there is
    /// nothing.
    pub(crate) missing: Vec<String>,
    /// Where the container runtime finds the conflist once the node is ready.
    pub(crate) conflist: PathBuf,
    /// By which addresses peers reach this node.
    pub(crate) addresses: Vec<IpAddr>,
    /// The subnets it owns.
    pub(crate) subnets: Vec<IpNet>,
    pub(crate) registry: RegistryStatus,
    pub(crate) nodes: NodeCounts,
    pub(crate) routes: RouteCounts,
    /// Claims without a route, by the kind of reason.
    pub(crate) claims_without_route: BTreeMap<String, usize>,
    pub(crate) conflicts: Conflicts,
    /// Where HTTP is served; absent where it is not to be.
    pub(crate) http: Option<Http>,
    /// How much of the node's subnets is in use, by family.
    pub(crate) pods: BTreeMap<String, AddressUsage>,
}

/// The registry as this node sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegistryStatus {
    /// Whether it is a file of this node rather than etcd.
    pub(crate) local: bool,
    pub(crate) connected: bool,
    /// The last revision that was seen; 0 before the first.
    pub(crate) revision: i64,
    /// How old what is known of it may be: seconds since it was lost, 0 while it is connected.
    pub(crate) lag_seconds: f64,
    /// Why it is out of reach, if it is.
    pub(crate) why: Option<String>,
    /// Why nothing is withdrawn on its word, if that is so.
    pub(crate) distrust: Option<String>,
    /// The routes that stay although it does not show their claims, and whose they were.
    pub(crate) held: BTreeMap<IpNet, Option<NodeName>>,
    /// Whether peers can see there that this node is alive.
    pub(crate) present: bool,
    /// How many records are ignored.
    pub(crate) ignored: usize,
    /// Some of them, and why.
    pub(crate) ignored_records: BTreeMap<String, String>,
}

/// How many nodes there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeCounts {
    pub(crate) present: usize,
    pub(crate) absent: usize,
}

/// How many routes there are, those of this node's own subnets among them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RouteCounts {
    /// That should be in the kernel.
    pub(crate) desired: usize,
    /// Of ours that are in the kernel.
    pub(crate) actual: usize,
    /// That should be, and are not as they should.
    pub(crate) missing: usize,
    /// What became of routes since the daemon started.
    pub(crate) changes: BTreeMap<String, u64>,
}

/// What somebody else has in the place of ours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Conflicts {
    /// Routes that somebody else made where ours should be.
    pub(crate) routes: usize,
    /// Claims of others to what this node owns.
    pub(crate) claims: usize,
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Http {
    pub(crate) address: SocketAddr,
    /// Why it does not serve there, if so.
    pub(crate) why: Option<String>,
}

/// How many addresses of this node's subnets are in which state.
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
    /// Whether its `routed` shows signs of life, where that is known.
    pub(crate) present: Option<bool>,
    /// Since when its `routed` runs, in seconds since 1970 by that node's clock.
    pub(crate) present_since: Option<u64>,
    pub(crate) absent_since: Option<Since>,
    /// The version that runs there.
    pub(crate) version: Option<String>,
    pub(crate) subnets: Vec<IpNet>,
    /// What becomes of its subnets here.
    pub(crate) verdict: NodeVerdict,
    /// In words, where there is no route.
    pub(crate) why: Vec<String>,
}

/// What becomes of a node's subnets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NodeVerdict {
    /// It is this node.
    Own,
    /// All of them have a way.
    Routed,
    /// It owns none.
    NoSubnet,
    /// Not all of them have one.
    NotRouted,
    /// Only a running `routed` knows.
    Unknown,
}

/// A route as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RouteRow {
    pub(crate) subnet: IpNet,
    /// Whose subnet it is, where that is known.
    pub(crate) node: Option<NodeName>,
    /// The way it should lead, if there should be a route.
    pub(crate) desired: Option<RouteTarget>,
    /// Whether it stays although the registry does not show its claim.
    pub(crate) held: bool,
    /// What keeps it from the kernel, if anything does.
    pub(crate) obstacle: Option<RouteObstacle>,
    /// Why there is none, or not the one that should be.
    pub(crate) why: Option<String>,
}

/// What keeps a route from the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RouteObstacle {
    /// Somebody else's has its place.
    Conflict,
    /// The kernel refuses it.
    Refused,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RouteTarget {
    /// Nowhere but to the pods' own routes: of a subnet that this node owns.
    Unreachable,
    /// To whoever is on a link: of the pods' gateway.
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
    /// The way of `path`, over one of `links`.
    pub(crate) fn of(path: Path, links: &[Link]) -> Self {
        match path {
            Path::Unreachable => Self::Unreachable,
            Path::Link { dev } => Self::Link {
                dev: messages::name_of(dev, links),
            },
            Path::Via { gateway, dev } | Path::Onlink { gateway, dev } => Self::Via {
                gateway,
                dev: messages::name_of(dev, links),
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
