//! The reconciler: events mark state as dirty, and one pass at a time makes the kernel's routes
//! match the desired ones. Synchronous; the caller does the waiting.

pub(crate) mod dirty;
mod kernel_events;
pub(crate) mod live_pods;
pub(crate) mod messages;
mod pass;
pub(crate) mod pod_routes;
pub(crate) mod retries;
mod silent_hops;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

use daemonkit::OnChange;
use ipnet::IpNet;
use registry::{RegistryChange, Snapshot};
use tracing::warn;
use wire::netlink::Error;
use wire::node::NodeName;

use crate::fib::plan::{self, Actual};
use crate::fib::{self, ListedRoutes};
use crate::kernel::{Kernel, NodeLink};
use crate::log::{self, LineKind};
use crate::reconcile::dirty::Dirty;
use crate::reconcile::pod_routes::PodRoutes;
use crate::reconcile::retries::Retries;
use crate::rib::guest_gateway::GATEWAY;
use crate::rib::held::{LastSeen, Owners};
use crate::rib::ignored_records::{self, Ignored, IgnoredRecords};
use crate::rib::local_node::LocalNode;
use crate::rib::path::{Desired, RoutePath, UpdateScope};
use crate::rib::{Effect, Rib};

/// At most this many addresses that several nodes advertise are logged.
const MAX_SHARED_LOGGED: usize = 5;

/// The desired routes, the kernel's routes, and what differs or may differ.
#[derive(Debug)]
pub(crate) struct Reconciler<K> {
    kernel: K,
    local_node: LocalNode,
    rib: Rib,
    /// The kernel's routes: listed once, then updated from its events.
    actual: Actual,
    /// The kernel's routes before another program changed them, since the last pass.
    before: Actual,
    pods: PodRoutes,
    ignored: IgnoredRecords,
    shared: OnChange,
    retries: Retries,
    dirty: Dirty,
    /// The number of route changes by kind, since the start.
    changes: BTreeMap<LineKind, u64>,
}

impl<K: Kernel> Reconciler<K> {
    /// Starts with the routes in the kernel. Until the first snapshot of the registry none of them
    /// is withdrawn, and removed ones are put back. `held_before` are the subnets that were held
    /// already when the daemon stopped.
    pub(crate) fn new(
        mut kernel: K,
        mut local_node: LocalNode,
        seen: LastSeen,
        held_before: &Owners,
    ) -> Result<Self, Error> {
        local_node.set_topology(kernel.topology()?);
        let ListedRoutes { ours: actual, pods } = fib::list_own(&mut kernel)?;
        let pod_cidrs = &local_node.network.pod_cidrs;
        let found: Desired = actual
            .iter()
            .filter(|(dst, _)| {
                // The pod CIDRs may have been others when it was held.
                pod_cidrs.iter().any(|cidr| cidr.contains(*dst)) || held_before.contains_key(*dst)
            })
            .filter_map(|(dst, routes)| Some((*dst, routes.iter().find_map(plan::path)?)))
            .filter(|(_, path)| path.is_to_peer())
            .collect();
        Ok(Self {
            kernel,
            local_node,
            rib: Rib::new(seen, found, held_before),
            actual,
            before: Actual::new(),
            pods,
            ignored: IgnoredRecords::default(),
            shared: OnChange::default(),
            retries: Retries::default(),
            dirty: Dirty::everything(),
            changes: BTreeMap::new(),
        })
    }

    /// Sets the subnets that this node owns, and the etcd cluster that has its claims.
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
        self.dirty
            .add(UpdateScope::Only(changed.copied().collect()));
        self.local_node.owned = subnets.to_vec();
    }

    /// Adds pods of this node, each with the index of its host interface. Routes to them that are
    /// missing are put back in the next pass.
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

    /// Whether any of the changes is about a subnet that this node owns or is given.
    pub(crate) fn is_about_own(&self, changes: &[RegistryChange]) -> bool {
        changes.iter().any(|change| match change {
            RegistryChange::Subnet(subnet, claim) => {
                self.local_node.owned.contains(subnet)
                    || claim
                        .as_ref()
                        .is_some_and(|claim| claim.node == self.local_node.node)
            }
            _ => false,
        })
    }

    /// The subnets of this node that the registry gives to other nodes, with those nodes.
    pub(crate) fn lost_subnets(&self) -> BTreeMap<IpNet, NodeName> {
        self.rib
            .owned_by_others(&self.local_node.owned, &self.local_node.node)
    }

    /// Takes a complete snapshot of the registry. Returns whether it lacks a record that this node
    /// should have there.
    pub(crate) fn reset(&mut self, view: Snapshot) -> bool {
        let known: BTreeSet<String> = self.rib.rejected().map(|(key, _)| key.clone()).collect();
        let effect = self.rib.reset(view, &self.local_node);
        let new = self.rib.rejected().filter(|(key, _)| !known.contains(*key));
        let new: Vec<Ignored> = new
            .map(|(key, reason)| (key.clone(), reason.clone()))
            .take(ignored_records::MAX_LOGGED + 1)
            .collect();
        self.apply_effect(effect, &new)
    }

    /// Holds the routes to all peers.
    pub(crate) fn hold_all(&mut self) {
        self.rib.hold_all();
    }

    /// Takes the changes of one revision. Returns the same as [`Reconciler::reset`].
    pub(crate) fn change(&mut self, revision: i64, changes: Vec<RegistryChange>) -> bool {
        let new = changes.iter().filter_map(|change| match change {
            RegistryChange::Rejected {
                key,
                why: Some(reason),
            } if self.rib.is_new_rejection(change) => Some((key.clone(), reason.clone())),
            _ => None,
        });
        let new: Vec<Ignored> = new.take(ignored_records::MAX_LOGGED + 1).collect();
        let local = &self.local_node;
        let effect = self.rib.change(revision, changes, local);
        self.apply_effect(effect, &new)
    }

    fn apply_effect(&mut self, effect: Effect, ignored: &[Ignored]) -> bool {
        log::emit_lines(self.ignored.log_lines(ignored, self.rib.ignored()));
        self.log_shared_addresses();
        self.dirty.add(effect.scope);
        effect.rejoin
    }

    /// Names the nodes that advertise the same address.
    fn log_shared_addresses(&mut self) {
        let all: Vec<_> = self
            .rib
            .advertisers()
            .shared()
            .take(MAX_SHARED_LOGGED)
            .collect();
        if all.is_empty() {
            self.shared.clear();
        } else if self.shared.changed(&all.join("; ")) {
            for text in &all {
                warn!("{text}");
            }
        }
    }

    /// Marks everything as dirty.
    pub(crate) fn resync(&mut self) {
        self.dirty = Dirty::everything();
    }

    /// Whether a pass is due.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.dirty.is_nothing()
    }

    /// Whether the next pass compares all routes.
    pub(crate) fn is_all_dirty(&self) -> bool {
        self.dirty.is_all()
    }

    /// When a failed route is tried again.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retries.retry_at()
    }

    /// Whether the node can serve pods: a complete snapshot was taken, and the kernel's routes are in
    /// place.
    pub(crate) fn is_settled(&self) -> bool {
        self.rib.has_snapshot() && self.routes_are_in_place()
    }

    /// Whether the node can serve pods although this daemon has not read the registry: an earlier one
    /// has, since the boot, and its routes are in place.
    pub(crate) fn is_settled_by_earlier_daemon(&self) -> bool {
        let network = &self.local_node.network;
        let is_of_network = |subnet: &IpNet| network.pod_cidr_of(subnet).is_some();
        !self.rib.has_snapshot()
            && self.rib.last_seen().revision > 0
            && self.local_node.owned.iter().all(is_of_network)
            && self.routes_are_in_place()
    }

    /// Whether the kernel has the desired routes except those that it refuses, and the unreachable
    /// routes of the own subnets, of which there is one at least.
    fn routes_are_in_place(&self) -> bool {
        let is_in = |subnet: &IpNet| {
            let wanted = plan::route(*subnet, RoutePath::Unreachable);
            self.actual
                .get(subnet)
                .is_some_and(|routes| routes.contains(&wanted))
        };
        !self.is_dirty() && self.owns_subnets() && self.local_node.owned.iter().all(is_in)
    }

    /// Whether this node owns a subnet.
    pub(crate) fn owns_subnets(&self) -> bool {
        !self.local_node.owned.is_empty()
    }

    /// The number of routes to peers in the kernel.
    pub(crate) fn peer_route_count(&self) -> usize {
        let is_own = |dst: &&IpNet| **dst == GATEWAY || self.local_node.owned.contains(dst);
        self.actual.keys().filter(|dst| !is_own(dst)).count()
    }

    /// The indexes of the links that the routes to peers use.
    pub(crate) fn peer_links(&self) -> BTreeSet<u32> {
        let paths = self.rib.desired().values();
        paths.filter_map(|path| path.dev_to_peer()).collect()
    }

    /// The RIB.
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

    /// The routes that the kernel has, as of the last pass.
    pub(crate) fn actual(&self) -> &Actual {
        &self.actual
    }

    /// The routes that failed.
    pub(crate) fn retries(&self) -> &Retries {
        &self.retries
    }

    /// The number of route changes by kind, since the start.
    pub(crate) fn changes(&self) -> &BTreeMap<LineKind, u64> {
        &self.changes
    }

    /// The view of this node that decisions take.
    pub(crate) fn local_view(&self) -> &LocalNode {
        &self.local_node
    }

    /// The kernel.
    pub(crate) fn kernel(&self) -> &K {
        &self.kernel
    }

    /// This node's links that have addresses, as of the last pass.
    pub(crate) fn links(&self) -> &[NodeLink] {
        &self.local_node.links
    }
}
