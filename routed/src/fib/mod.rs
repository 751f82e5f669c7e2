//! Changes the kernel's routes (FIB) to the planned ones, and never a route of another program.

pub(crate) mod plan;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use nix::errno::Errno;
use registry::packed;
use wire::ROUTE_PROTOCOL;
use wire::netlink::{Error, Route, RouteKind};

use crate::fib::plan::{Actual, PlanStep, RouteChange};
use crate::kernel::Kernel;

/// Above this many, the routes are dumped instead of looked up one by one.
const MAX_SINGLE_LOOKUPS: usize = 32;

/// How many steps become requests at a time: there may be one for each of thousands of peers.
const CHUNK: usize = 512;

/// The routes with our protocol number.
#[derive(Debug, Default)]
pub(crate) struct ListedRoutes {
    /// The routes that `routed` manages.
    pub(crate) ours: Actual,
    /// The routes to pods of this node.
    pub(crate) pods: BTreeMap<IpNet, Route>,
}

/// Lists the routes with our protocol number.
pub(crate) fn list_own(kernel: &mut impl Kernel) -> Result<ListedRoutes, Error> {
    let mut listing = ListedRoutes::default();
    for route in kernel.routes(Some(ROUTE_PROTOCOL))? {
        if plan::is_to_pod(&route) {
            listing.pods.insert(route.dst, route);
        } else if plan::is_ours(&route) {
            plan::routes_mut(&mut listing.ours, route.dst).push(route);
        }
    }
    listing.ours = packed(listing.ours);
    Ok(listing)
}

/// The result of a plan.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// The steps that succeeded.
    pub(crate) done: Vec<PlanStep>,
    /// The steps that failed, and why.
    pub(crate) failed: Vec<(PlanStep, ApplyError)>,
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ApplyError {
    /// Another program's route has the same prefix and metric.
    Conflict(Route),
    /// The kernel refused.
    Refused(String),
}

/// Applies the steps of a plan. A refused step does not stop the others; an error means that the
/// result of all steps is unknown.
pub(crate) fn apply(kernel: &mut impl Kernel, steps: Vec<PlanStep>) -> Result<Applied, Error> {
    let mut steps = protect_foreign(kernel, steps)?;
    let mut refused: BTreeMap<usize, Error> = BTreeMap::new();
    for (number, chunk) in steps.chunks(CHUNK).enumerate() {
        let requests: Vec<_> = chunk.iter().map(PlanStep::request).collect();
        for error in kernel.apply(&requests)? {
            if let Error::Refused { index, .. } = &error {
                refused.insert(number * CHUNK + index, error);
            }
        }
    }
    refused.retain(|index, error| !is_gone_already(&steps[*index], error));
    let mut indexes = 0..;
    let is_refused = |_: &mut PlanStep| indexes.next().is_some_and(|it| refused.contains_key(&it));
    let failed: Vec<_> = steps.extract_if(.., is_refused).collect();
    let mut applied = Applied {
        done: steps,
        failed: Vec::new(),
    };
    let mut foreign = None;
    for (step, error) in failed.into_iter().zip(refused.values()) {
        let error = apply_error(kernel, &mut foreign, &step, error)?;
        applied.failed.push((step, error));
    }
    Ok(applied)
}

/// Splits replaces that could hit a foreign route. The kernel replaces the first route with the
/// same prefix and metric, and for IPv6 all next hops that share both. Where a foreign route may be
/// among them (`ip route append`), ours is deleted and the new one added, which fails if the place
/// is taken.
fn protect_foreign(kernel: &mut impl Kernel, steps: Vec<PlanStep>) -> Result<Vec<PlanStep>, Error> {
    let maybe_foreign = maybe_foreign_dsts(kernel, &steps)?;
    if maybe_foreign.is_empty() {
        return Ok(steps);
    }
    let foreign = foreign(kernel)?;
    let mut safe = Vec::with_capacity(steps.len());
    for step in steps {
        match step.change {
            RouteChange::Replace { old, new } if is_shared(&old) => {
                safe.push(plan::remove(&Route {
                    kind: RouteKind::Unicast,
                    ..old
                }));
                safe.push(plan::add(new));
            }
            RouteChange::Replace { old, new } if occupant(&foreign, &new).is_some() => {
                safe.extend([plan::remove(&old), plan::add(new)]);
            }
            _ => safe.push(step),
        }
    }
    Ok(safe)
}

/// The destinations of replaces that may hit a foreign route. A few are looked up one by one, so
/// that a peer that moves costs no dump.
fn maybe_foreign_dsts(
    kernel: &mut impl Kernel,
    steps: &[PlanStep],
) -> Result<BTreeSet<IpNet>, Error> {
    let replaced = |step: &PlanStep| match &step.change {
        RouteChange::Replace { old, .. } => Some(old.clone()),
        _ => None,
    };
    let replaced: Vec<Route> = steps.iter().filter_map(replaced).collect();
    let mut maybe_foreign = BTreeSet::new();
    for old in &replaced {
        let is_sure = replaced.len() <= MAX_SINGLE_LOOKUPS
            && kernel.route_for(old.dst)?.as_ref() == Some(old);
        if !is_sure || is_shared(old) {
            maybe_foreign.insert(old.dst);
        }
    }
    Ok(maybe_foreign)
}

/// Whether some next hops may be foreign: the kernel merges IPv6 next hops with the same prefix and
/// metric into one route, and lists it under the protocol of the first.
fn is_shared(route: &Route) -> bool {
    route.kind == RouteKind::Multipath && route.dst.addr().is_ipv6()
}

fn foreign(kernel: &mut impl Kernel) -> Result<Vec<Route>, Error> {
    let mut routes = kernel.routes(None)?;
    routes.retain(|route| !plan::is_ours(route));
    Ok(routes)
}

fn occupant<'a>(foreign: &'a [Route], wanted: &Route) -> Option<&'a Route> {
    foreign.iter().find(|route| plan::same_key(route, wanted))
}

/// The kernel removed the route together with its link.
fn is_gone_already(step: &PlanStep, error: &Error) -> bool {
    matches!(step.change, RouteChange::Remove(_))
        && matches!(error.errno(), Some(Errno::ESRCH | Errno::ENODEV))
}

fn apply_error(
    kernel: &mut impl Kernel,
    known: &mut Option<Vec<Route>>,
    step: &PlanStep,
    error: &Error,
) -> Result<ApplyError, Error> {
    if let (RouteChange::Add(wanted), Some(Errno::EEXIST)) = (&step.change, error.errno()) {
        let first = kernel.route_for(step.dst)?;
        let is_foreign = |it: &Route| plan::same_key(it, wanted) && !plan::is_ours(it);
        if let Some(route) = first.filter(is_foreign) {
            return Ok(ApplyError::Conflict(route));
        }
        let routes = match known.take() {
            Some(routes) => routes,
            None => foreign(kernel)?,
        };
        let conflict = occupant(&routes, wanted).cloned();
        *known = Some(routes);
        if let Some(route) = conflict {
            return Ok(ApplyError::Conflict(route));
        }
    }
    Ok(ApplyError::Refused(error.to_string()))
}

#[cfg(test)]
pub(crate) mod fake_kernel;
#[cfg(test)]
mod tests;
