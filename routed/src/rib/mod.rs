//! The RIB (routing information base): the registry's records, the verdicts on its claims and the
//! routes that follow from them. Pure: events go in, desired routes come out.

pub(crate) mod advertisers;
pub(crate) mod claim_index;
pub(crate) mod connected;
pub(crate) mod cross_subnet;
pub(crate) mod decide;
mod desired;
pub(crate) mod guest_gateway;
pub(crate) mod held;
pub(crate) mod ignored_records;
pub(crate) mod local_node;
pub(crate) mod next_hop;
pub(crate) mod path;
pub(crate) mod queries;
pub(crate) mod refusals;
pub(crate) mod silent_hops;
pub(crate) mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use registry::{RegistryChange, Snapshot};
use wire::node::NodeName;

use crate::rib::advertisers::Advertisers;
use crate::rib::claim_index::ClaimIndex;
use crate::rib::held::{Distrust, HeldRoutes, LastSeen, Owners};
use crate::rib::local_node::LocalNode;
use crate::rib::path::{Desired, UpdateScope};
use crate::rib::verdict::ClaimVerdict;

/// The registry as this node trusts it, and the desired routes.
#[derive(Debug, Default)]
pub(crate) struct Rib {
    view: Option<Snapshot>,
    desired: Desired,
    claims: ClaimIndex,
    advertisers: Advertisers,
    seen: LastSeen,
    held: HeldRoutes,
    judged: BTreeMap<IpNet, JudgedClaim>,
    /// Claims that were deleted since the last pass, with their nodes.
    left: BTreeMap<IpNet, NodeName>,
    distrust: Option<Distrust>,
}

#[derive(Debug)]
struct JudgedClaim {
    node: NodeName,
    verdict: ClaimVerdict,
}

/// What follows from an event.
#[derive(Debug)]
pub(crate) struct Effect {
    /// The destinations to decide anew.
    pub(crate) scope: UpdateScope,
    /// Whether the registry lacks a record that this node should have there.
    pub(crate) rejoin: bool,
}

impl Rib {
    /// Starts with what the state file has (`seen`, `held_before`) and with the routes to peers
    /// `found` in the kernel. They stay until a complete snapshot shows which of them are stale.
    pub(crate) fn new(seen: LastSeen, found: Desired, held_before: &Owners) -> Self {
        let mut held = HeldRoutes::default();
        for (subnet, path) in &found {
            held.adopt(*subnet, *path, held_before);
        }
        Self {
            seen,
            held,
            desired: found,
            ..Self::default()
        }
    }

    /// Whether a complete snapshot was taken.
    pub(crate) fn has_snapshot(&self) -> bool {
        self.view.is_some()
    }

    /// The cluster and revision of the registry that this node saw last.
    pub(crate) fn last_seen(&self) -> LastSeen {
        self.seen
    }

    /// Why the registry is not trusted at the moment, if it is not.
    pub(crate) fn distrust(&self) -> Option<&Distrust> {
        self.distrust.as_ref()
    }

    /// The subnets whose routes are held although the registry lacks their claims.
    pub(crate) fn held(&self) -> Owners {
        self.held.persistent()
    }

    /// A number that changes whenever [`Rib::held`] may have changed.
    pub(crate) fn held_version(&self) -> u64 {
        self.held.version()
    }

    /// Sets the cluster that has this node's claims.
    pub(crate) fn set_cluster(&mut self, cluster: Option<u64>) {
        self.seen.cluster = cluster.or(self.seen.cluster);
    }

    /// The routes that the kernel should have.
    pub(crate) fn desired(&self) -> &Desired {
        &self.desired
    }

    /// Takes a complete snapshot of the registry.
    pub(crate) fn reset(&mut self, view: Snapshot, local: &LocalNode) -> Effect {
        if let Some(theirs) = view
            .network
            .as_ref()
            .filter(|it| !it.agrees_with(&local.network))
        {
            // The claims of another network have another meaning. Keep the previous snapshot.
            let (ours, theirs) = (local.network.clone(), theirs.clone());
            self.distrust = Some(Distrust::OtherNetwork { ours, theirs });
            return Effect {
                scope: UpdateScope::Only(BTreeSet::new()),
                rejoin: true,
            };
        }
        let claims = ClaimIndex::new(&view);
        let verdict = held::withdrawals_allowed(self.seen, local, &view, &claims);
        if verdict.is_err() {
            self.hold_all();
        }
        self.held.release_confirmed(&view, verdict.is_ok());
        if verdict.is_ok() && local.registered_machine.is_some() {
            // A node without pod CIDRs does not join, and knows the cluster by its Node.
            self.seen.cluster.get_or_insert(view.cluster);
        }
        self.distrust = verdict.err();
        self.seen.revision = view.revision;
        let rejoin = lacks_own_records(&view, &claims, local);
        self.claims = claims;
        self.advertisers = Advertisers::new(&view);
        self.view = Some(view);
        Effect {
            scope: UpdateScope::All,
            rejoin,
        }
    }

    /// Holds the routes to all peers.
    pub(crate) fn hold_all(&mut self) {
        let peers = self.desired.iter().filter(|(_, path)| path.is_to_peer());
        for (subnet, path) in peers {
            let node = self.judged.get(subnet).map(|judged| &judged.node);
            self.held.hold(*subnet, *path, node);
        }
    }

    /// Takes the changes of one revision.
    pub(crate) fn change(
        &mut self,
        revision: i64,
        changes: Vec<RegistryChange>,
        local: &LocalNode,
    ) -> Effect {
        let is_foreign = matches!(self.distrust, Some(Distrust::OtherNetwork { .. }));
        let Some(view) = self.view.as_mut().filter(|_| !is_foreign) else {
            // Changes apply only to a snapshot that was taken.
            return Effect {
                scope: UpdateScope::Only(BTreeSet::new()),
                rejoin: false,
            };
        };
        let mut affected = affected(&changes, &self.claims);
        let mut concerns_local_node = concern(&changes, &local.node);
        let (claimed, deleted) = claimed_and_deleted(&changes);
        for subnet in claimed {
            self.held.release(&subnet);
        }
        let records: BTreeMap<NodeName, Vec<IpAddr>> = changes
            .iter()
            .filter_map(RegistryChange::node)
            .map(|node| (node.clone(), addresses_of(view, &node)))
            .collect();
        let claim = |subnet| (subnet, view.subnets.get(&subnet).cloned());
        let subnets = changes.iter().filter_map(RegistryChange::subnet);
        let before: Vec<_> = subnets.map(claim).collect();
        view.apply(revision, changes);
        let mut own_addresses_differ = false;
        for (node, before) in records {
            let now = addresses_of(view, &node);
            for other in self.advertisers.change(&node, &before, &now) {
                affected.extend(self.claims.of(&other));
            }
            own_addresses_differ |= node == local.node && before != now;
        }
        for (subnet, before) in before {
            concerns_local_node |= local.owned.contains(&subnet);
            self.claims
                .change(subnet, before, view.subnets.get(&subnet));
        }
        self.seen.revision = revision;
        let allowed = held::withdrawals_allowed(self.seen, local, view, &self.claims);
        self.distrust = allowed.err();
        let rejoin = concerns_local_node && lacks_own_records(view, &self.claims, local);
        self.hold_or_release(&deleted);
        Effect {
            // The link to a peer may depend on the order of this node's own addresses.
            scope: if own_addresses_differ {
                UpdateScope::All
            } else {
                UpdateScope::Only(affected)
            },
            rejoin,
        }
    }

    /// Holds the routes to peers of subnets whose claims were deleted, if the registry is not
    /// trusted.
    fn hold_or_release(&mut self, deleted: &[IpNet]) {
        for subnet in deleted {
            match (&self.distrust, self.desired.get(subnet)) {
                (Some(_), Some(path)) if path.is_to_peer() => {
                    let node = self.judged.get(subnet).map(|judged| &judged.node);
                    self.held.hold(*subnet, *path, node);
                }
                _ => self.held.release(subnet),
            }
        }
    }

    /// Those of `owned` that the registry gives to another node than `node`, with that node.
    pub(crate) fn owned_by_others(
        &self,
        owned: &[IpNet],
        node: &NodeName,
    ) -> BTreeMap<IpNet, NodeName> {
        let claim = |subnet: &IpNet| Some((*subnet, self.view.as_ref()?.subnets.get(subnet)?));
        let claims = owned.iter().filter_map(claim);
        claims
            .filter(|(_, claim)| claim.node != *node)
            .map(|(subnet, claim)| (subnet, claim.node.clone()))
            .collect()
    }

    /// The node that claims the subnet, or claimed it until the last pass.
    pub(crate) fn owner(&self, subnet: &IpNet) -> Option<&NodeName> {
        self.judged
            .get(subnet)
            .map(|judged| &judged.node)
            .or_else(|| self.left.get(subnet))
    }

    /// Whether the claim of `subnet` was deleted since the last pass.
    pub(crate) fn has_left(&self, subnet: &IpNet) -> bool {
        self.left.contains_key(subnet)
    }

    /// Forgets the deleted claims, after a pass has logged them.
    pub(crate) fn clear_left(&mut self) {
        self.left.clear();
    }
}

/// The subnets whose claims change, and those of the nodes whose records change.
fn affected(changes: &[RegistryChange], claims: &ClaimIndex) -> BTreeSet<IpNet> {
    let nodes = changes.iter().filter_map(RegistryChange::node);
    let of_nodes = nodes.flat_map(|node| claims.of(&node).collect::<Vec<_>>());
    let of_claims = changes.iter().filter_map(RegistryChange::subnet);
    of_nodes.chain(of_claims).collect()
}

/// Whether a record or a new claim is of this `node`.
fn concern(changes: &[RegistryChange], node: &NodeName) -> bool {
    changes.iter().any(|change| match change {
        RegistryChange::Subnet(_, claim) => claim.as_ref().is_some_and(|claim| claim.node == *node),
        other => other.node().is_some_and(|other| other == *node),
    })
}

/// The subnets with a new claim, and those whose claim was deleted.
fn claimed_and_deleted(changes: &[RegistryChange]) -> (Vec<IpNet>, Vec<IpNet>) {
    let claims = changes.iter().filter_map(|change| match change {
        RegistryChange::Subnet(subnet, claim) => Some((*subnet, claim.is_some())),
        _ => None,
    });
    let (claimed, deleted): (Vec<_>, Vec<_>) = claims.partition(|(_, is_claimed)| *is_claimed);
    let subnets = |claims: Vec<(IpNet, bool)>| claims.into_iter().map(|(it, _)| it).collect();
    (subnets(claimed), subnets(deleted))
}

fn addresses_of(view: &Snapshot, node: &NodeName) -> Vec<IpAddr> {
    let record = view.nodes.get(node);
    record.map_or_else(Vec::new, |record| record.addresses.clone())
}

/// Whether the registry lacks a record that this node should have there, or gives this node a
/// subnet that it does not know.
fn lacks_own_records(view: &Snapshot, claims: &ClaimIndex, local: &LocalNode) -> bool {
    let claimed: Vec<_> = claims.of(&local.node).collect();
    view.network.is_none()
        || !view.nodes.contains_key(&local.node)
        || local.owned.iter().any(|subnet| !claimed.contains(subnet))
        || claimed.iter().any(|subnet| !local.owned.contains(subnet))
}
