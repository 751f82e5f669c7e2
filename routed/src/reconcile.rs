//! The state machine: what it hears marks something dirty, and one pass at a time makes the kernel
//! match. Synchronous; waiting is the caller's business.

mod news;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::time::Instant;

use ipnet::IpNet;
use registry::{Change, Network, Snapshot};
use wire::netlink::{Error, Topics};
use wire::node::NodeName;

use crate::desired::{Here, Link, Path};
use crate::dirty::Dirty;
use crate::failures::Failures;
use crate::fib::{self, Kernel};
use crate::hold::{Owners, Seen};
use crate::peers::{Effect, Peers};
use crate::plan::{self, Actual, Change as RouteChange, Desired, Scope, Step};
use crate::report::{self, Kind, Line};

/// What `routed` knows and wants, and the kernel it wants it of.
#[derive(Debug)]
pub(crate) struct Reconciler<K> {
    kernel: K,
    node: NodeName,
    network: Network,
    owned: Vec<IpNet>,
    links: Vec<Link>,
    peers: Peers,
    desired: Desired,
    actual: Actual,
    failures: Failures,
    dirty: Dirty,
    /// What became of routes since the start.
    changes: BTreeMap<Kind, u64>,
}

impl<K: Kernel> Reconciler<K> {
    /// Looks at the kernel and begins with the routes that are there: until the first snapshot of
    /// the registry nothing is withdrawn, and what others remove is put back. `firm` are the
    /// subnets that were held against the registry before.
    pub(crate) fn new(
        mut kernel: K,
        node: NodeName,
        network: Network,
        seen: Seen,
        firm: &Owners,
    ) -> Result<Self, Error> {
        let links = kernel.links()?;
        let actual = fib::ours(&mut kernel)?;
        let found: Desired = actual
            .iter()
            .filter(|(dst, _)| network.pod_cidrs.iter().any(|cidr| cidr.contains(*dst)))
            .filter_map(|(dst, routes)| Some((*dst, routes.iter().find_map(plan::path)?)))
            .filter(|(_, path)| *path != Path::Unreachable)
            .collect();
        Ok(Self {
            kernel,
            node,
            network,
            owned: Vec::new(),
            links,
            peers: Peers::new(seen, &found, firm),
            desired: found,
            actual,
            failures: Failures::default(),
            dirty: Dirty::everything(),
            changes: BTreeMap::new(),
        })
    }

    /// This node owns these subnets, claimed in that etcd cluster.
    pub(crate) fn own(&mut self, subnets: &[IpNet], cluster: Option<u64>) {
        self.peers.joined(cluster);
        if self.owned == subnets {
            return;
        }
        let changed = self.owned.iter().chain(subnets).copied().collect();
        self.dirty.add(Scope::Only(changed));
        self.owned = subnets.to_vec();
    }

    /// Whether any of the changes is about a subnet that this node owns or comes to own.
    pub(crate) fn is_about_own(&self, changes: &[Change]) -> bool {
        changes.iter().any(|change| match change {
            Change::Subnet(subnet, claim) => {
                self.owned.contains(subnet)
                    || claim.as_ref().is_some_and(|claim| claim.node == self.node)
            }
            _ => false,
        })
    }

    /// What this node owned and the registry has given to others, and to whom.
    pub(crate) fn lost(&self) -> BTreeMap<IpNet, NodeName> {
        self.peers.owned_by_others(&self.owned, &self.node)
    }

    /// A complete snapshot of the registry came. Returns whether it lacks something that this node
    /// should have put there.
    pub(crate) fn reset(&mut self, view: Snapshot) -> bool {
        let here = Here {
            node: &self.node,
            network: &self.network,
            owned: &self.owned,
            links: &self.links,
        };
        let ignored_before: BTreeSet<_> =
            self.peers.rejected().map(|(key, _)| key.clone()).collect();
        let effect = self.peers.reset(view, here, &self.desired);
        let news = self
            .peers
            .rejected()
            .filter(|(key, _)| !ignored_before.contains(*key));
        let lines: Vec<_> = news.map(|(key, why)| news::ignored(key, why)).collect();
        report::tell(&lines);
        self.take(effect)
    }

    /// The registry changed. Returns as [`Reconciler::reset`].
    pub(crate) fn change(&mut self, revision: i64, changes: Vec<Change>) -> bool {
        let lines: Vec<_> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Rejected {
                    key,
                    why: Some(why),
                } => Some(news::ignored(key, why)),
                _ => None,
            })
            .collect();
        report::tell(&lines);
        let here = Here {
            node: &self.node,
            network: &self.network,
            owned: &self.owned,
            links: &self.links,
        };
        let effect = self.peers.change(revision, changes, here, &self.desired);
        self.take(effect)
    }

    fn take(&mut self, effect: Effect) -> bool {
        self.dirty.add(effect.scope);
        effect.rejoin
    }

    /// The kernel's tables changed. A link that goes down takes IPv4 routes with it silently
    /// (`fib_flush`), so that links are a reason to look at the routes too.
    pub(crate) fn kernel_changed(&mut self, topics: Topics) {
        self.dirty.links |= topics.links || topics.addresses;
        self.dirty.routes |= topics.any();
    }

    /// Looks at everything again in the next pass, whatever was heard.
    pub(crate) fn resync(&mut self) {
        self.dirty = Dirty::everything();
    }

    /// Whether there is a reason for a pass.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.dirty.is_nothing()
    }

    /// When a pass is due although nothing happened: routes that failed are tried again.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.failures.retry_at()
    }

    /// Whether pods can be served: the registry was seen whole, what it says is in the kernel as
    /// far as the kernel lets it, and so is what keeps packets to gone pods from going astray.
    pub(crate) fn is_settled(&self) -> bool {
        let is_in = |subnet: &IpNet| {
            let wanted = plan::route(*subnet, Path::Unreachable);
            self.actual
                .get(subnet)
                .is_some_and(|routes| routes.contains(&wanted))
        };
        let served = self.serves() && self.owned.iter().all(is_in);
        self.peers.is_known() && !self.is_dirty() && served
    }

    /// Whether this node owns a subnet.
    pub(crate) fn serves(&self) -> bool {
        !self.owned.is_empty()
    }

    /// How many routes to peers there are.
    pub(crate) fn count(&self) -> usize {
        self.actual.len().saturating_sub(self.owned.len())
    }

    /// What the registry says, as this node believes it.
    pub(crate) fn peers(&self) -> &Peers {
        &self.peers
    }

    /// The subnets this node owns.
    pub(crate) fn owned(&self) -> &[IpNet] {
        &self.owned
    }

    /// What the kernel should hold.
    pub(crate) fn desired(&self) -> &Desired {
        &self.desired
    }

    /// What it holds, as of the last pass.
    pub(crate) fn actual(&self) -> &Actual {
        &self.actual
    }

    /// What could not be brought into it.
    pub(crate) fn failures(&self) -> &Failures {
        &self.failures
    }

    /// How many routes came, moved, were put back and went since the start.
    pub(crate) fn changes(&self) -> &BTreeMap<Kind, u64> {
        &self.changes
    }

    /// This node's side of every judgement.
    pub(crate) fn here(&self) -> Here<'_> {
        Here {
            node: &self.node,
            network: &self.network,
            owned: &self.owned,
            links: &self.links,
        }
    }

    /// The kernel.
    pub(crate) fn kernel(&self) -> &K {
        &self.kernel
    }

    /// This node's links that have addresses, as of the last pass.
    pub(crate) fn links(&self) -> &[Link] {
        &self.links
    }

    /// Makes the kernel match. After an error everything is as dirty as before.
    pub(crate) fn pass(&mut self, now: Instant) -> Result<(), Error> {
        if self.retry_at().is_some_and(|at| at <= now) {
            self.dirty.routes = true;
        }
        let dirty = mem::replace(&mut self.dirty, Dirty::nothing());
        let result = self.try_pass(&dirty, now);
        if result.is_err() {
            self.dirty.links |= dirty.links;
            self.dirty.routes = true;
            self.dirty.add(dirty.claims);
        }
        result
    }

    fn try_pass(&mut self, dirty: &Dirty, now: Instant) -> Result<(), Error> {
        let mut lines = Vec::new();
        let claims = if dirty.links && self.links_changed()? {
            &Scope::All
        } else {
            &dirty.claims
        };
        self.judge(claims, &mut lines);
        report::tell(&mem::take(&mut lines));
        let scope = if dirty.routes { &Scope::All } else { claims };
        let before = if dirty.routes {
            Some(mem::replace(&mut self.actual, fib::ours(&mut self.kernel)?))
        } else {
            None
        };
        let mut steps = plan::diff(&self.desired, &self.actual, scope);
        if !self.peers.is_known() {
            steps.retain(|step| !matches!(step.change, RouteChange::Remove(_)));
        }
        let applied = fib::carry_out(&mut self.kernel, steps)?;
        let mut failed = BTreeSet::new();
        for (step, why) in applied.failed {
            failed.insert(step.dst);
            if self.failures.add(step.dst, why.clone(), now) {
                lines.push(self.failure(&step, &why));
            }
        }
        self.failures.keep_only(&failed, scope);
        for step in &applied.done {
            let line = self.success(step, before.as_ref());
            *self.changes.entry(line.kind()).or_default() += 1;
            lines.push(line);
            record(&mut self.actual, step);
        }
        report::tell(&lines);
        self.peers.reported();
        Ok(())
    }

    fn links_changed(&mut self) -> Result<bool, Error> {
        let links = self.kernel.links()?;
        let changed = links != self.links;
        self.links = links;
        Ok(changed)
    }

    /// Brings `desired` up to date.
    fn judge(&mut self, scope: &Scope, lines: &mut Vec<Line>) {
        let here = Here {
            node: &self.node,
            network: &self.network,
            owned: &self.owned,
            links: &self.links,
        };
        let subnets: BTreeSet<IpNet> = match scope {
            Scope::Only(some) => some.clone(),
            Scope::All => {
                let known = self.peers.subnets().chain(self.owned.iter().copied());
                known.chain(self.desired.keys().copied()).collect()
            }
        };
        for subnet in subnets {
            let current = self.desired.get(&subnet).copied();
            let wish = self.peers.wish(subnet, here, current, lines);
            let wish = if self.owned.contains(&subnet) {
                Some(Path::Unreachable)
            } else {
                wish
            };
            match wish {
                Some(path) => self.desired.insert(subnet, path),
                None => self.desired.remove(&subnet),
            };
        }
    }
}

/// The kernel after a step.
fn record(actual: &mut Actual, step: &Step) {
    let routes = actual.entry(step.dst).or_default();
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
