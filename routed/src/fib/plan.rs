//! The plan: compares the desired routes with the kernel's and lists the requests in order.
//!
//! Pure. The caller passes only routes of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use wire::netlink::{NetlinkRequest, Route, RouteKind};
use wire::{GATEWAY_V4, GATEWAY_V6, ROUTE_PROTOCOL};

use crate::rib::guest_gateway::{self, GATEWAY};
use crate::rib::path::{Desired, RoutePath, UpdateScope};

/// The kernel's routes of `routed`, by destination. There is more than one only if another program
/// made routes under our protocol number, with other metrics.
pub(crate) type Actual = BTreeMap<IpNet, Vec<Route>>;

/// One change of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlanStep {
    /// The destination.
    pub(crate) dst: IpNet,
    /// The change.
    pub(crate) change: RouteChange,
}

/// The change that a [`PlanStep`] makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RouteChange {
    /// Adds a route; fails if another route has its prefix and metric.
    Add(Route),
    /// Replaces a route of ours, without a gap.
    Replace {
        /// The present route.
        old: Route,
        /// The new route.
        new: Route,
    },
    /// Removes a route of ours.
    Remove(Route),
}

impl PlanStep {
    /// The netlink request that makes the change.
    pub(crate) fn request(&self) -> NetlinkRequest {
        match &self.change {
            RouteChange::Add(new) => NetlinkRequest::AddRoute(new.clone()),
            RouteChange::Replace { new, .. } => NetlinkRequest::ReplaceRoute(new.clone()),
            RouteChange::Remove(old) => NetlinkRequest::DelRoute(old.clone()),
        }
    }

    /// The route that the step makes, or the one that it removes.
    pub(crate) fn route(&self) -> &Route {
        match &self.change {
            RouteChange::Add(route)
            | RouteChange::Replace { new: route, .. }
            | RouteChange::Remove(route) => route,
        }
    }
}

/// Whether `routed` manages the route. The pods' host routes have our protocol number too, but are
/// the plugin's: they lead to a single address other than the gateway's, and have no gateway.
pub(crate) fn is_ours(route: &Route) -> bool {
    route.protocol == ROUTE_PROTOCOL && !is_to_pod(route) && !is_within_pod(route)
}

/// Whether the plugin made the route inside a pod. A node that is itself a pod of another network
/// of ours has such routes, and does not change them.
pub(crate) fn is_within_pod(route: &Route) -> bool {
    let is_through = |via| via == IpAddr::V4(GATEWAY_V4) || via == IpAddr::V6(GATEWAY_V6);
    let is_to_gateway = route.dst == GATEWAY && route.metric.is_none();
    route.protocol == ROUTE_PROTOCOL && (is_to_gateway || route.via.is_some_and(is_through))
}

/// Whether it is the host route of a pod.
pub(crate) fn is_to_pod(route: &Route) -> bool {
    route.protocol == ROUTE_PROTOCOL
        && route.kind != RouteKind::Unreachable
        && route.via.is_none()
        && route.dst.prefix_len() == route.dst.max_prefix_len()
        && route.dst != GATEWAY
}

/// The route for `path`, exactly as the kernel lists it.
pub(crate) fn route(dst: IpNet, path: RoutePath) -> Route {
    match path {
        RoutePath::Unreachable => Route::new(dst, RouteKind::Unreachable),
        RoutePath::Link { dev } => guest_gateway::route(dst, dev),
        RoutePath::Via { gateway, dev } => Route {
            via: Some(gateway),
            dev: Some(dev),
            ..Route::new(dst, RouteKind::Unicast)
        },
        RoutePath::Onlink { gateway, dev } => Route {
            onlink: true,
            ..route(dst, RoutePath::Via { gateway, dev })
        },
    }
}

/// The path of a route of ours; `None` for a route that `routed` would not make.
pub(crate) fn path(route: &Route) -> Option<RoutePath> {
    match (route.kind, route.via, route.dev) {
        (RouteKind::Unreachable, ..) => Some(RoutePath::Unreachable),
        (RouteKind::Unicast, None, Some(dev)) if route.dst == GATEWAY => {
            Some(RoutePath::Link { dev })
        }
        (RouteKind::Unicast, Some(gateway), Some(dev)) if route.onlink => {
            Some(RoutePath::Onlink { gateway, dev })
        }
        (RouteKind::Unicast, Some(gateway), Some(dev)) => Some(RoutePath::Via { gateway, dev }),
        _ => None,
    }
}

/// The steps that make `actual` equal to `desired` within `scope`. Unreachable routes of own
/// subnets come first, then additions and replaces, then removals, so that reachability never
/// shrinks in between.
pub(crate) fn diff(desired: &Desired, actual: &Actual, scope: &UpdateScope) -> Vec<PlanStep> {
    let mut steps: Vec<PlanStep> = match scope {
        UpdateScope::All => {
            let all: BTreeSet<_> = desired.keys().chain(actual.keys()).copied().collect();
            all.into_iter()
                .flat_map(|dst| steps_for(dst, desired, actual))
                .collect()
        }
        UpdateScope::Only(some) => some
            .iter()
            .flat_map(|dst| steps_for(*dst, desired, actual))
            .collect(),
    };
    steps.sort_by_key(rank);
    steps
}

fn rank(step: &PlanStep) -> u8 {
    match &step.change {
        RouteChange::Add(new) | RouteChange::Replace { new, .. }
            if new.kind == RouteKind::Unreachable =>
        {
            0
        }
        RouteChange::Add(_) | RouteChange::Replace { .. } => 1,
        RouteChange::Remove(_) => 2,
    }
}

fn steps_for(dst: IpNet, desired: &Desired, actual: &Actual) -> Vec<PlanStep> {
    let present = actual.get(&dst).map_or(&[][..], Vec::as_slice);
    let Some(path) = desired.get(&dst) else {
        return present.iter().map(remove).collect();
    };
    let wanted = route(dst, *path);
    let in_place = present.iter().position(|route| same_key(route, &wanted));
    let mut steps = Vec::new();
    match in_place.map(|index| &present[index]) {
        None => steps.push(add(wanted)),
        Some(old) if *old == wanted => {}
        Some(old) => steps.push(replace(old, wanted)),
    }
    let others = present
        .iter()
        .enumerate()
        .filter(|(index, _)| Some(*index) != in_place);
    steps.extend(others.map(|(_, other)| remove(other)));
    steps
}

/// Applies a step that succeeded to `actual`.
pub(crate) fn record(actual: &mut Actual, step: &PlanStep) {
    let routes = routes_mut(actual, step.dst);
    match &step.change {
        RouteChange::Add(new) => routes.push(new.clone()),
        RouteChange::Replace { old, new } => {
            routes.retain(|route| route != old);
            routes.push(new.clone());
        }
        RouteChange::Remove(old) => routes.retain(|route| route != old),
    }
    if routes.is_empty() {
        actual.remove(&step.dst);
    }
}

/// The routes to `dst`, to be changed. There is rarely more than one.
pub(crate) fn routes_mut(actual: &mut Actual, dst: IpNet) -> &mut Vec<Route> {
    actual.entry(dst).or_insert_with(|| Vec::with_capacity(1))
}

/// A step that adds `new`.
pub(crate) fn add(new: Route) -> PlanStep {
    PlanStep {
        dst: new.dst,
        change: RouteChange::Add(new),
    }
}

fn replace(old: &Route, new: Route) -> PlanStep {
    PlanStep {
        dst: new.dst,
        change: RouteChange::Replace {
            old: old.clone(),
            new,
        },
    }
}

/// A step that removes `old`.
pub(crate) fn remove(old: &Route) -> PlanStep {
    PlanStep {
        dst: old.dst,
        change: RouteChange::Remove(old.clone()),
    }
}

/// Whether two routes have the same key in the kernel's table (prefix and metric): `NLM_F_EXCL`
/// lets only one of them in, and each replaces the other.
pub(crate) fn same_key(a: &Route, b: &Route) -> bool {
    a.dst == b.dst && a.metric == b.metric
}

#[cfg(test)]
mod tests;
