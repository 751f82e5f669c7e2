//! Compares the desired routes with those in the kernel.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::Serialize;
use wire::netlink::Route;
use wire::node::NodeName;

use crate::cli::terminal::Tone;
use crate::fib::plan::{self, Actual};
use crate::kernel::NodeLink;
use crate::reconcile::messages;
use crate::status::{RouteObstacle, RouteRow, RouteTarget};

/// A destination, with its desired route and its routes in the kernel.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ComparedRoute {
    pub(super) subnet: IpNet,
    pub(super) node: Option<NodeName>,
    pub(super) desired: Option<String>,
    pub(super) actual: Vec<String>,
    pub(super) state: RouteState,
    pub(super) why: Option<String>,
}

/// How the desired route and the kernel's compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RouteState {
    /// The kernel has the desired route.
    Ok,
    /// The kernel has the desired route, although the registry does not show its claim.
    Held,
    /// The kernel has none.
    Missing,
    /// The kernel has another one of ours.
    Wrong,
    /// A route of another program is in its place.
    Conflict,
    /// The kernel refuses it.
    Refused,
    /// No route is desired, and the kernel has one.
    Stale,
    /// The claim gets no route, and the kernel has none.
    None,
    /// The daemon does not run: the desired route is not known.
    Unknown,
}

impl RouteState {
    /// The word for it, and its tone.
    pub(super) fn word(self) -> (&'static str, Tone) {
        match self {
            Self::Ok => ("ok", Tone::Good),
            Self::Held => ("held", Tone::Doubtful),
            Self::Missing => ("missing", Tone::Bad),
            Self::Wrong => ("wrong", Tone::Bad),
            Self::Conflict => ("conflict", Tone::Bad),
            Self::Refused => ("refused", Tone::Bad),
            Self::Stale => ("stale", Tone::Bad),
            Self::None => ("none", Tone::Bad),
            Self::Unknown => ("?", Tone::Plain),
        }
    }

    /// Whether all is well.
    pub(super) fn is_well(self) -> bool {
        matches!(self, Self::Ok | Self::Held)
    }
}

/// A row for each subnet that has a desired or an actual route. `is_running`: whether the daemon
/// runs, so that the desired routes are known.
pub(super) fn compare(
    desired: Vec<RouteRow>,
    actual: &Actual,
    links: &[NodeLink],
    is_running: bool,
) -> Vec<ComparedRoute> {
    let mut desired: BTreeMap<IpNet, RouteRow> =
        desired.into_iter().map(|row| (row.subnet, row)).collect();
    let subnets: BTreeSet<IpNet> = desired.keys().chain(actual.keys()).copied().collect();
    let compare_one = |subnet: IpNet| {
        let actual = actual.get(&subnet).map_or(&[][..], Vec::as_slice);
        let row = desired.remove(&subnet);
        let state = match &row {
            Some(row) => state(row, actual, links),
            None if is_running => RouteState::Stale,
            None => RouteState::Unknown,
        };
        let (node, desired, why) = match row {
            Some(row) => (row.node, row.desired, row.why),
            None => (None, None, None),
        };
        ComparedRoute {
            subnet,
            node,
            desired: desired.map(|target| target.to_string()),
            actual: actual.iter().map(|route| render(route, links)).collect(),
            state,
            why,
        }
    };
    subnets.into_iter().map(compare_one).collect()
}

fn state(row: &RouteRow, actual: &[Route], links: &[NodeLink]) -> RouteState {
    let is_in_kernel = |desired: &RouteTarget| {
        let mut targets = actual.iter().filter_map(|route| target(route, links));
        targets.any(|actual| actual == *desired)
    };
    match (&row.desired, row.obstacle) {
        (None, _) if actual.is_empty() => RouteState::None,
        (None, _) => RouteState::Stale,
        (Some(desired), _) if is_in_kernel(desired) => {
            if row.held {
                RouteState::Held
            } else {
                RouteState::Ok
            }
        }
        (Some(_), Some(RouteObstacle::Conflict)) => RouteState::Conflict,
        (Some(_), Some(RouteObstacle::Refused)) => RouteState::Refused,
        (Some(_), None) if actual.is_empty() => RouteState::Missing,
        (Some(_), None) => RouteState::Wrong,
    }
}

fn target(route: &Route, links: &[NodeLink]) -> Option<RouteTarget> {
    plan::path(route).map(|path| RouteTarget::of(path, links))
}

fn render(route: &Route, links: &[NodeLink]) -> String {
    let text = target(route, links).map(|target| target.to_string());
    text.unwrap_or_else(|| messages::next_hop(route, links).trim().to_owned())
}
