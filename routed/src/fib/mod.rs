//! The kernel's side: what it holds of ours, and how it is changed without harm to what others put
//! there.

pub(crate) mod plan;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use nix::errno::Errno;
use wire::ROUTE_PROTOCOL;
use wire::netlink::{Error, Request, Route, RouteKind};

use crate::fib::plan::{Actual, PlanStep, RouteChange};
use crate::kernel::Kernel;

/// As many routes are asked for one by one before all of them are listed.
const MAX_SINGLE_LOOKUPS: usize = 32;

/// The routes with our protocol number.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Those that `routed` answers for.
    pub(crate) ours: Actual,
    /// Those to pods of this node.
    pub(crate) pods: BTreeMap<IpNet, Route>,
}

/// Lists the routes with our protocol number.
pub(crate) fn list_own(kernel: &mut impl Kernel) -> Result<Listing, Error> {
    let mut listing = Listing::default();
    for route in kernel.routes(Some(ROUTE_PROTOCOL))? {
        if plan::is_to_pod(&route) {
            listing.pods.insert(route.dst, route);
        } else if plan::is_ours(&route) {
            plan::routes_mut(&mut listing.ours, route.dst).push(route);
        }
    }
    Ok(listing)
}

/// What came of a plan.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// The steps that were taken.
    pub(crate) done: Vec<PlanStep>,
    /// Those that were not, and why.
    pub(crate) failed: Vec<(PlanStep, ApplyError)>,
}

/// Why a step was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ApplyError {
    /// Somebody else's route has the place.
    Conflict(Route),
    /// The kernel refused.
    Refused(String),
}

/// Takes the steps of a plan. A step that the kernel refuses does not keep the others back; an
/// error means that none can be relied on.
pub(crate) fn apply(kernel: &mut impl Kernel, steps: Vec<PlanStep>) -> Result<Applied, Error> {
    let steps = protect_foreign(kernel, steps)?;
    let requests: Vec<_> = steps.iter().map(|step| step.request.clone()).collect();
    let mut refused: BTreeMap<usize, Error> = BTreeMap::new();
    for error in kernel.apply(&requests)? {
        if let Error::Refused { index, .. } = &error {
            refused.insert(*index, error);
        }
    }
    let mut foreign = None;
    let mut applied = Applied::default();
    for (index, step) in steps.into_iter().enumerate() {
        match refused.remove(&index) {
            None => applied.done.push(step),
            Some(error) if is_gone_already(&step, &error) => applied.done.push(step),
            Some(error) => {
                let why = apply_error(kernel, &mut foreign, &step, &error)?;
                applied.failed.push((step, why));
            }
        }
    }
    Ok(applied)
}

/// A replace takes the place of the first route that has the same prefix and metric; of IPv6 next
/// hops that share both, the place of them all. Where that may be somebody else's beside ours (`ip
/// route append`), ours is deleted by name instead and the new one added only if the place is then
/// free.
fn protect_foreign(kernel: &mut impl Kernel, steps: Vec<PlanStep>) -> Result<Vec<PlanStep>, Error> {
    let doubtful = maybe_foreign_dsts(kernel, &steps)?;
    if doubtful.is_empty() {
        return Ok(steps);
    }
    let foreign = foreign(kernel)?;
    let mut spared = Vec::with_capacity(steps.len());
    for step in steps {
        match step.change {
            RouteChange::Replace { old, .. } if is_shared(&old) => {
                spared.push(plan::remove(&Route {
                    kind: RouteKind::Unicast,
                    ..old
                }));
                if let Request::ReplaceRoute(new) = step.request {
                    spared.push(plan::add(new));
                }
            }
            RouteChange::Replace { old, new } if occupant(&foreign, &new).is_some() => {
                spared.extend([plan::remove(&old), plan::add(new)]);
            }
            _ => spared.push(step),
        }
    }
    Ok(spared)
}

/// The destinations of replaces that may hit somebody else's route. A few are asked for one by
/// one, so that a peer that moves costs no listing.
fn maybe_foreign_dsts(
    kernel: &mut impl Kernel,
    steps: &[PlanStep],
) -> Result<BTreeSet<IpNet>, Error> {
    let replaced = |step: &PlanStep| match &step.change {
        RouteChange::Replace { old, .. } => Some(old.clone()),
        _ => None,
    };
    let replaced: Vec<Route> = steps.iter().filter_map(replaced).collect();
    let mut doubtful = BTreeSet::new();
    for old in &replaced {
        let is_sure = replaced.len() <= MAX_SINGLE_LOOKUPS
            && kernel.route_for(old.dst)?.as_ref() == Some(old);
        if !is_sure || is_shared(old) {
            doubtful.insert(old.dst);
        }
    }
    Ok(doubtful)
}

/// Whether some of its next hops may be somebody else's: the kernel makes one route of all IPv6
/// next hops that have the same place, and lists it under the protocol of the first.
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

/// A route over a link that went, went with it.
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
