//! Routes as they should be against routes as they are.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::Serialize;
use wire::netlink::Route;
use wire::node::NodeName;

use crate::cli::terminal::Tone;
use crate::fib::plan::{self, Actual};
use crate::kernel::Link;
use crate::reconcile::messages;
use crate::status::{RouteObstacle, RouteRow, RouteTarget};

/// A route as it should be and as it is.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ComparedRoute {
    pub(super) subnet: IpNet,
    pub(super) node: Option<NodeName>,
    pub(super) desired: Option<String>,
    pub(super) actual: Vec<String>,
    pub(super) state: State,
    pub(super) why: Option<String>,
}

/// How they compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// They are the same.
    Ok,
    /// They are the same, although the registry does not show the claim.
    Held,
    /// There is none.
    Missing,
    /// There is another one of ours.
    Wrong,
    /// Somebody else's has the place.
    Conflict,
    /// The kernel refuses it.
    Refused,
    /// There should be none, and there is one.
    Stale,
    /// There is a claim, there should be no route, and there is none.
    None,
    /// Nobody says what should be.
    Unknown,
}

impl State {
    /// It in a word, and how good it is.
    pub(super) fn words(self) -> (&'static str, Tone) {
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

    /// Whether nobody has to do anything.
    pub(super) fn is_well(self) -> bool {
        matches!(self, Self::Ok | Self::Held)
    }
}

/// Compares what the daemon says should be with what the kernel has; unless it is `known`, nobody says
/// what should be.
pub(super) fn compare(
    desired: Vec<RouteRow>,
    actual: &Actual,
    links: &[Link],
    known: bool,
) -> Vec<ComparedRoute> {
    let mut wanted: BTreeMap<IpNet, RouteRow> =
        desired.into_iter().map(|row| (row.subnet, row)).collect();
    let subnets: BTreeSet<IpNet> = wanted.keys().chain(actual.keys()).copied().collect();
    let compared = |subnet: IpNet| {
        let there = actual.get(&subnet).map_or(&[][..], Vec::as_slice);
        let row = wanted.remove(&subnet);
        let state = match &row {
            Some(row) => state(row, there, links),
            None if known => State::Stale,
            None => State::Unknown,
        };
        let (node, desired, why) = match row {
            Some(row) => (row.node, row.desired, row.why),
            None => (None, None, None),
        };
        ComparedRoute {
            subnet,
            node,
            desired: desired.map(|way| way.to_string()),
            actual: there.iter().map(|route| shown(route, links)).collect(),
            state,
            why,
        }
    };
    subnets.into_iter().map(compared).collect()
}

fn state(row: &RouteRow, there: &[Route], links: &[Link]) -> State {
    let is_there = |way: &RouteTarget| {
        let mut ways = there.iter().filter_map(|route| self::way(route, links));
        ways.any(|found| found == *way)
    };
    match (&row.desired, row.obstacle) {
        (None, _) if there.is_empty() => State::None,
        (None, _) => State::Stale,
        (Some(way), _) if is_there(way) => {
            if row.held {
                State::Held
            } else {
                State::Ok
            }
        }
        (Some(_), Some(RouteObstacle::Conflict)) => State::Conflict,
        (Some(_), Some(RouteObstacle::Refused)) => State::Refused,
        (Some(_), None) if there.is_empty() => State::Missing,
        (Some(_), None) => State::Wrong,
    }
}

fn way(route: &Route, links: &[Link]) -> Option<RouteTarget> {
    plan::path(route).map(|path| RouteTarget::of(path, links))
}

fn shown(route: &Route, links: &[Link]) -> String {
    let text = way(route, links).map(|way| way.to_string());
    text.unwrap_or_else(|| messages::way(route, links).trim().to_owned())
}
