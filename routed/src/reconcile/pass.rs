//! One pass of the reconciler: reads what is dirty, updates the desired routes and changes the
//! kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::net::IpAddr;
use std::time::Instant;

use ipnet::IpNet;
use nix::errno::Errno;
use wire::netlink::{Error, NetlinkRequest, Route};

use super::Reconciler;
use crate::fib;
use crate::fib::plan::{self, RouteChange};
use crate::kernel::Kernel;
use crate::log::{LineKind, Lines, LogLine};
use crate::reconcile::dirty::Dirty;
use crate::reconcile::pod_routes;
use crate::rib::path::UpdateScope;

impl<K: Kernel> Reconciler<K> {
    /// Makes the kernel's routes match. After an error, what was dirty stays dirty.
    pub(crate) fn pass(&mut self, now: Instant) -> Result<(), Error> {
        let due: BTreeSet<IpNet> = self.retries.due(now).collect();
        self.dirty.add(UpdateScope::Only(due));
        let dirty = mem::replace(&mut self.dirty, Dirty::nothing());
        let result = self.try_pass(&dirty, now);
        if result.is_err() {
            self.dirty.merge_failed(dirty);
        }
        result
    }

    fn try_pass(&mut self, dirty: &Dirty, now: Instant) -> Result<(), Error> {
        let mut lines = Lines::default();
        let is_due = dirty.links || dirty.cross_subnet;
        let topology_differs = is_due && self.local_node.set_topology(self.kernel.topology()?);
        let claims = if topology_differs {
            &UpdateScope::All
        } else {
            &dirty.claims
        };
        self.rib
            .update_desired(claims, &self.local_node, &mut lines);
        mem::take(&mut lines).emit();
        if dirty.routes {
            self.read_routes(&mut lines)?;
        } else {
            let lost = dirty.pods.iter().filter_map(|pod| self.pods.get(pod));
            let lost =
                lost.map(|route| pod_routes::with_valid_source(route, &self.local_node.links));
            self.restore_pod_routes(lost.collect(), &mut lines)?;
        }
        let scope = if dirty.routes {
            &UpdateScope::All
        } else {
            claims
        };
        self.apply_diff(scope, now, lines)
    }

    /// Lists our routes, and puts back missing routes to pods.
    fn read_routes(&mut self, lines: &mut Lines) -> Result<(), Error> {
        let listing = fib::list_own(&mut self.kernel)?;
        let mut before = mem::replace(&mut self.actual, listing.ours);
        before.append(&mut self.before);
        self.before = before;
        let pods = mem::replace(&mut self.pods, listing.pods);
        let lost = pod_routes::lost(&pods, &self.pods, &self.local_node.links);
        self.restore_pod_routes(lost, lines)?;
        self.complete_pod_routes(lines)
    }

    /// Gives routes to pods the source address that they lack: they were made while the node had
    /// none.
    fn complete_pod_routes(&mut self, lines: &mut Lines) -> Result<(), Error> {
        let completed = pod_routes::completed(&self.pods, &self.local_node.links);
        for (route, failure) in self.apply_each(completed, NetlinkRequest::ReplaceRoute)? {
            // A pod that went meanwhile needs no route; the next change of an address tries again.
            if failure.is_none() {
                self.pod_route_restored(route, lines, |pod| {
                    format!("route to pod {pod} has a source address now, as the node has one")
                });
            }
        }
        Ok(())
    }

    fn restore_pod_routes(&mut self, lost: Vec<Route>, lines: &mut Lines) -> Result<(), Error> {
        for (route, failure) in self.apply_each(lost, NetlinkRequest::AddRoute)? {
            match failure {
                None => self.pod_route_restored(route, lines, |pod| {
                    format!("route to pod {pod} put back: it was gone, or its source address was")
                }),
                // The pod is gone, or has its route already.
                Some(error)
                    if matches!(
                        error.errno(),
                        Some(Errno::ENODEV | Errno::ENETDOWN | Errno::EEXIST)
                    ) => {}
                Some(error) => lines.add(LineKind::Failed, || {
                    LogLine::new(LineKind::Failed, error.to_string())
                        .with("pod", route.dst.addr())
                        .with("error", error)
                }),
            }
        }
        Ok(())
    }

    /// Makes a request for each route. Returns the routes with the failures.
    fn apply_each(
        &mut self,
        routes: Vec<Route>,
        request: fn(Route) -> NetlinkRequest,
    ) -> Result<Vec<(Route, Option<Error>)>, Error> {
        if routes.is_empty() {
            return Ok(Vec::new());
        }
        let requests: Vec<_> = routes.iter().cloned().map(request).collect();
        let refused = |error: Error| match error {
            Error::Refused { index, .. } => Some((index, error)),
            _ => None,
        };
        let failures = self.kernel.apply(&requests)?.into_iter();
        let mut failures: BTreeMap<_, _> = failures.filter_map(refused).collect();
        let each = routes.into_iter().enumerate();
        Ok(each.map(|(at, it)| (it, failures.remove(&at))).collect())
    }

    fn pod_route_restored(&mut self, route: Route, lines: &mut Lines, text: fn(IpAddr) -> String) {
        let pod = route.dst.addr();
        lines.add(LineKind::Restored, || {
            LogLine::new(LineKind::Restored, text(pod)).with("pod", pod)
        });
        self.pods.insert(route.dst, route);
    }

    /// Makes the kernel's routes within `scope` the desired ones.
    fn apply_diff(
        &mut self,
        scope: &UpdateScope,
        now: Instant,
        mut lines: Lines,
    ) -> Result<(), Error> {
        let mut steps = plan::diff(self.rib.desired(), &self.actual, scope);
        if !self.rib.has_snapshot() {
            steps.retain(|step| !matches!(step.change, RouteChange::Remove(_)));
        }
        let applied = if steps.is_empty() {
            fib::Applied::default()
        } else {
            fib::apply(&mut self.kernel, steps)?
        };
        let mut failed = BTreeSet::new();
        for (step, error) in applied.failed {
            failed.insert(step.dst);
            if self.retries.add(step.dst, error.clone(), now) {
                lines.add(LineKind::Failed, || self.failed_line(&step, &error));
            }
        }
        self.retries.retain_only(&failed, scope);
        for step in &applied.done {
            let kind = self.line_kind(step);
            *self.changes.entry(kind).or_default() += 1;
            lines.add(kind, || self.success_line(step, kind));
            plan::record(&mut self.actual, step);
        }
        lines.emit();
        self.before.clear();
        self.rib.clear_left();
        Ok(())
    }
}
