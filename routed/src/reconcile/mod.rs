//! The state machine: what it hears marks something dirty, and one pass at a time makes the kernel
//! match. Synchronous; waiting is the caller's business.

pub(crate) mod dirty;
mod kernel_events;
pub(crate) mod live_pods;
pub(crate) mod messages;
mod pass;
pub(crate) mod pod_routes;
pub(crate) mod retries;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

use ipnet::IpNet;
use registry::{Change, Snapshot};
use wire::netlink::Error;
use wire::node::NodeName;

use crate::fib::plan::{self, Actual};
use crate::fib::{self, Listing};
use crate::kernel::{Kernel, Link};
use crate::log::{self, LineKind};
use crate::reconcile::dirty::Dirty;
use crate::reconcile::pod_routes::PodRoutes;
use crate::reconcile::retries::Retries;
use crate::rib::guest_gateway::GATEWAY;
use crate::rib::held::{LastSeen, Owners};
use crate::rib::ignored_records::{self, Ignored, IgnoredRecords};
use crate::rib::local_node::{LocalNode, LocalView};
use crate::rib::path::{Desired, Path, Scope};
use crate::rib::{Effect, Rib};

/// What `routed` knows and wants, and the kernel it wants it of.
#[derive(Debug)]
pub(crate) struct Reconciler<K> {
    kernel: K,
    local_node: LocalNode,
    rib: Rib,
    /// What the kernel holds: listed, and since then kept up with what it tells.
    actual: Actual,
    /// What it held before somebody changed it, since the last pass.
    before: Actual,
    pods: PodRoutes,
    ignored: IgnoredRecords,
    retries: Retries,
    dirty: Dirty,
    /// What became of routes since the start.
    changes: BTreeMap<LineKind, u64>,
}

impl<K: Kernel> Reconciler<K> {
    /// Looks at the kernel and begins with the routes that are there: until the first snapshot of
    /// the registry nothing is withdrawn, and what others remove is put back. `firm` are the
    /// subnets that were held against the registry before.
    pub(crate) fn new(
        mut kernel: K,
        mut side: LocalNode,
        seen: LastSeen,
        firm: &Owners,
    ) -> Result<Self, Error> {
        side.links = kernel.links()?;
        let Listing { ours: actual, pods } = fib::list_own(&mut kernel)?;
        let pod_cidrs = &side.network.pod_cidrs;
        let found: Desired = actual
            .iter()
            .filter(|(dst, _)| pod_cidrs.iter().any(|cidr| cidr.contains(*dst)))
            .filter_map(|(dst, routes)| Some((*dst, routes.iter().find_map(plan::path)?)))
            .filter(|(_, path)| path.is_to_peer())
            .collect();
        Ok(Self {
            kernel,
            local_node: side,
            rib: Rib::new(seen, found, firm),
            actual,
            before: Actual::new(),
            pods,
            ignored: IgnoredRecords::default(),
            retries: Retries::default(),
            dirty: Dirty::everything(),
            changes: BTreeMap::new(),
        })
    }

    /// This node owns these subnets, claimed in that etcd cluster.
    pub(crate) fn set_owned(&mut self, subnets: &[IpNet], cluster: Option<u64>) {
        self.rib.set_cluster(cluster);
        if self.local_node.owned == subnets {
            return;
        }
        let changed = self
            .local_node
            .owned
            .iter()
            .chain(subnets)
            .chain([&GATEWAY]);
        self.dirty.add(Scope::Only(changed.copied().collect()));
        self.local_node.owned = subnets.to_vec();
    }

    /// These addresses are of pods of this node, each with the index of its host end: routes to
    /// them have to be there, although nobody saw them go.
    pub(crate) fn add_known_pods(&mut self, attached: &[(IpAddr, u32)]) {
        for (address, host_end) in attached {
            let route = pod_routes::route(*address, *host_end, &self.local_node.links);
            let known = self.pods.entry(route.dst).or_insert_with(|| route.clone());
            if known.dev != route.dev {
                *known = route;
            }
        }
        self.dirty.routes = true;
    }

    /// Whether any of the changes is about a subnet that this node owns or comes to own.
    pub(crate) fn is_about_own(&self, changes: &[Change]) -> bool {
        changes.iter().any(|change| match change {
            Change::Subnet(subnet, claim) => {
                self.local_node.owned.contains(subnet)
                    || claim
                        .as_ref()
                        .is_some_and(|claim| claim.node == self.local_node.node)
            }
            _ => false,
        })
    }

    /// What this node owned and the registry has given to others, and to whom.
    pub(crate) fn lost_subnets(&self) -> BTreeMap<IpNet, NodeName> {
        self.rib
            .owned_by_others(&self.local_node.owned, &self.local_node.node)
    }

    /// A complete snapshot of the registry came. Returns whether it lacks something that this node
    /// should have put there.
    pub(crate) fn reset(&mut self, view: Snapshot) -> bool {
        let known: BTreeSet<String> = self.rib.rejected().map(|(key, _)| key.clone()).collect();
        let effect = self.rib.reset(view, self.local_node.view());
        let news = self.rib.rejected().filter(|(key, _)| !known.contains(*key));
        let news: Vec<Ignored> = news
            .map(|(key, why)| (key.clone(), why.clone()))
            .take(ignored_records::MAX_LOGGED + 1)
            .collect();
        self.apply_effect(effect, &news)
    }

    /// The registry changed. Returns as [`Reconciler::reset`].
    pub(crate) fn change(&mut self, revision: i64, changes: Vec<Change>) -> bool {
        let news = changes.iter().filter_map(|change| match change {
            Change::Rejected {
                key,
                why: Some(why),
            } if self.rib.is_new_rejection(change) => Some((key.clone(), why.clone())),
            _ => None,
        });
        let news: Vec<Ignored> = news.take(ignored_records::MAX_LOGGED + 1).collect();
        let local = self.local_node.view();
        let effect = self.rib.change(revision, changes, local);
        self.apply_effect(effect, &news)
    }

    fn apply_effect(&mut self, effect: Effect, ignored: &[Ignored]) -> bool {
        log::emit_lines(self.ignored.log_lines(ignored, self.rib.ignored()));
        self.dirty.add(effect.scope);
        effect.rejoin
    }

    /// Looks at everything again in the next pass, whatever was heard.
    pub(crate) fn resync(&mut self) {
        self.dirty = Dirty::everything();
    }

    /// Whether there is a reason for a pass.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.dirty.is_nothing()
    }

    /// Whether the next pass looks at all routes.
    pub(crate) fn is_all_dirty(&self) -> bool {
        self.dirty.is_all()
    }

    /// When a pass is due although nothing happened: routes that failed are tried again.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retries.retry_at()
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
        let served = self.owns_subnets() && self.local_node.owned.iter().all(is_in);
        self.rib.has_snapshot() && !self.is_dirty() && served
    }

    /// Whether this node owns a subnet.
    pub(crate) fn owns_subnets(&self) -> bool {
        !self.local_node.owned.is_empty()
    }

    /// How many routes to peers there are.
    pub(crate) fn peer_route_count(&self) -> usize {
        let is_own = |dst: &&IpNet| **dst == GATEWAY || self.local_node.owned.contains(dst);
        self.actual.keys().filter(|dst| !is_own(dst)).count()
    }

    /// What the registry says, as this node believes it.
    pub(crate) fn rib(&self) -> &Rib {
        &self.rib
    }

    /// The subnets this node owns.
    pub(crate) fn owned(&self) -> &[IpNet] {
        &self.local_node.owned
    }

    /// The routes that the kernel should have.
    pub(crate) fn desired(&self) -> &Desired {
        self.rib.desired()
    }

    /// What it holds, as of the last pass.
    pub(crate) fn actual(&self) -> &Actual {
        &self.actual
    }

    /// What could not be brought into it.
    pub(crate) fn retries(&self) -> &Retries {
        &self.retries
    }

    /// How many routes came, moved, were put back and went since the start.
    pub(crate) fn changes(&self) -> &BTreeMap<LineKind, u64> {
        &self.changes
    }

    /// This node's side of every judgement.
    pub(crate) fn local_view(&self) -> LocalView<'_> {
        self.local_node.view()
    }

    /// The kernel.
    pub(crate) fn kernel(&self) -> &K {
        &self.kernel
    }

    /// This node's links that have addresses, as of the last pass.
    pub(crate) fn links(&self) -> &[Link] {
        &self.local_node.links
    }
}
