//! The kernel's side: what it holds of ours, and how it is changed without harm to what others put
//! there.

use std::collections::BTreeMap;

use ipnetwork::IpNetwork;
use nix::errno::Errno;
use wire::ROUTE_PROTOCOL;
use wire::netlink::{Address, Error, Monitor, Request, Route, RouteFilter, Socket};

use crate::desired::Link;
use crate::plan::{self, Actual, Change, Step};

/// What `routed` needs of a kernel.
pub(crate) trait Kernel {
    /// The links that have addresses.
    fn links(&mut self) -> Result<Vec<Link>, Error>;

    /// The routes of the main table, of one protocol or of all.
    fn routes(&mut self, protocol: Option<u8>) -> Result<Vec<Route>, Error>;

    /// Carries out requests in order, and goes on after one that fails. Returns the failures.
    fn apply(&mut self, requests: &[Request]) -> Result<Vec<Error>, Error>;
}

/// The kernel of the network namespace this program runs in. A socket that failed is replaced by
/// the next call, so that no answer of an abandoned request is taken for another's.
#[derive(Debug, Default)]
pub(crate) struct Netlink {
    socket: Option<Socket>,
}

impl Netlink {
    /// Lets `monitor` pass over what this changes.
    pub(crate) fn hide_from(&self, monitor: &mut Monitor) {
        if let Some(socket) = &self.socket {
            monitor.ignore(socket);
        }
    }

    /// Runs `call` on the socket.
    pub(crate) fn with<T>(
        &mut self,
        call: impl FnOnce(&mut Socket) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut socket = match self.socket.take() {
            Some(socket) => socket,
            None => Socket::open()?,
        };
        let result = call(&mut socket);
        if !matches!(result, Err(Error::Socket { .. } | Error::Malformed { .. })) {
            self.socket = Some(socket);
        }
        result
    }
}

impl Kernel for Netlink {
    fn links(&mut self) -> Result<Vec<Link>, Error> {
        self.with(|socket| {
            let mut by_link: BTreeMap<u32, Vec<IpNetwork>> = BTreeMap::new();
            for Address { link, address, .. } in socket.addresses(None)? {
                by_link.entry(link).or_default().push(address);
            }
            // Asked for one by one: a node has few links with addresses, but hundreds of pods'.
            let mut links = Vec::new();
            for (index, addresses) in by_link {
                if addresses.iter().all(is_link_local_v6) {
                    continue;
                }
                if let Some(link) = socket.link_by_index(index)? {
                    links.push(Link {
                        index,
                        name: link.name,
                        up: link.up,
                        addresses,
                    });
                }
            }
            Ok(links)
        })
    }

    fn routes(&mut self, protocol: Option<u8>) -> Result<Vec<Route>, Error> {
        self.with(|socket| socket.routes(RouteFilter { protocol }))
    }

    fn apply(&mut self, requests: &[Request]) -> Result<Vec<Error>, Error> {
        self.with(|socket| socket.apply(requests))
    }
}

fn is_link_local_v6(address: &IpNetwork) -> bool {
    matches!(address, IpNetwork::V6(v6) if v6.ip().is_unicast_link_local())
}

/// The routes that `routed` answers for.
pub(crate) fn ours(kernel: &mut impl Kernel) -> Result<Actual, Error> {
    let mut actual = Actual::new();
    for route in kernel
        .routes(Some(ROUTE_PROTOCOL))?
        .into_iter()
        .filter(plan::is_ours)
    {
        actual.entry(route.dst).or_default().push(route);
    }
    Ok(actual)
}

/// What came of a plan.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// The steps that were taken.
    pub(crate) done: Vec<Step>,
    /// Those that were not, and why.
    pub(crate) failed: Vec<(Step, Why)>,
}

/// Why a step was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// Somebody else's route has the place.
    Conflict(Route),
    /// The kernel refused.
    Refused(String),
}

/// Takes the steps of a plan. A step that the kernel refuses does not keep the others back; an
/// error means that none can be relied on.
pub(crate) fn carry_out(kernel: &mut impl Kernel, steps: Vec<Step>) -> Result<Applied, Error> {
    let steps = spare_foreign(kernel, steps)?;
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
                let why = explain(kernel, &mut foreign, &step, &error)?;
                applied.failed.push((step, why));
            }
        }
    }
    Ok(applied)
}

/// A replace takes the place of whatever route has the same prefix and metric. Where that may be
/// somebody else's beside ours (`ip route append`), ours is deleted by name instead and the new
/// one added only if the place is then free.
fn spare_foreign(kernel: &mut impl Kernel, steps: Vec<Step>) -> Result<Vec<Step>, Error> {
    if !steps
        .iter()
        .any(|step| matches!(step.change, Change::Replace { .. }))
    {
        return Ok(steps);
    }
    let foreign = foreign(kernel)?;
    let spare = |step: Step| match step.change {
        Change::Replace { old, new } if occupant(&foreign, &new).is_some() => {
            vec![plan::remove(&old), plan::add(new)]
        }
        _ => vec![step],
    };
    Ok(steps.into_iter().flat_map(spare).collect())
}

fn foreign(kernel: &mut impl Kernel) -> Result<Vec<Route>, Error> {
    let mut routes = kernel.routes(None)?;
    routes.retain(|route| !plan::is_ours(route));
    Ok(routes)
}

fn occupant<'a>(foreign: &'a [Route], wanted: &Route) -> Option<&'a Route> {
    foreign.iter().find(|route| plan::same_place(route, wanted))
}

/// A route over a link that went, went with it.
fn is_gone_already(step: &Step, error: &Error) -> bool {
    matches!(step.change, Change::Remove(_))
        && matches!(error.errno(), Some(Errno::ESRCH | Errno::ENODEV))
}

fn explain(
    kernel: &mut impl Kernel,
    known: &mut Option<Vec<Route>>,
    step: &Step,
    error: &Error,
) -> Result<Why, Error> {
    if let (Change::Add(wanted), Some(Errno::EEXIST)) = (&step.change, error.errno()) {
        let routes = match known.take() {
            Some(routes) => routes,
            None => foreign(kernel)?,
        };
        let conflict = occupant(&routes, wanted).cloned();
        *known = Some(routes);
        if let Some(route) = conflict {
            return Ok(Why::Conflict(route));
        }
    }
    Ok(Why::Refused(error.to_string()))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod twin;
