//! What the registry says of the peers, and what of it is believed. Pure: events go in, wishes
//! come out.

pub(crate) mod claim_index;
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
pub(crate) mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use registry::{Change, Snapshot};
use wire::node::NodeName;

use crate::rib::claim_index::ClaimIndex;
use crate::rib::held::{Distrust, HeldRoutes, LastSeen, Owners};
use crate::rib::local_node::LocalView;
use crate::rib::path::{Desired, Scope};
use crate::rib::verdict::ClaimVerdict;

/// The registry as this node believes it.
#[derive(Debug, Default)]
pub(crate) struct Rib {
    view: Option<Snapshot>,
    desired: Desired,
    claims: ClaimIndex,
    seen: LastSeen,
    held: HeldRoutes,
    judged: BTreeMap<IpNet, JudgedClaim>,
    /// Claims that went since the last report, by whom they were.
    left: BTreeMap<IpNet, NodeName>,
    distrust: Option<Distrust>,
}

#[derive(Debug)]
struct JudgedClaim {
    node: NodeName,
    verdict: ClaimVerdict,
}

/// What an event means for this node.
#[derive(Debug)]
pub(crate) struct Effect {
    /// The subnets to judge again.
    pub(crate) scope: Scope,
    /// Whether the registry lacks something that this node should have put there.
    pub(crate) rejoin: bool,
}

impl Rib {
    /// Begins with what is remembered of the registry and with the peers' routes found in the
    /// kernel, which stay until a complete snapshot tells which of them are stale.
    pub(crate) fn new(seen: LastSeen, found: Desired, firm: &Owners) -> Self {
        let mut held = HeldRoutes::default();
        for (subnet, path) in &found {
            held.adopt(*subnet, *path, firm);
        }
        Self {
            seen,
            held,
            desired: found,
            ..Self::default()
        }
    }

    /// Whether there was a complete snapshot.
    pub(crate) fn has_snapshot(&self) -> bool {
        self.view.is_some()
    }

    /// What is known of the registry.
    pub(crate) fn last_seen(&self) -> LastSeen {
        self.seen
    }

    /// Why the registry is not believed at the moment, if it is not.
    pub(crate) fn distrust(&self) -> Option<&Distrust> {
        self.distrust.as_ref()
    }

    /// The subnets held against the registry.
    pub(crate) fn held(&self) -> Owners {
        self.held.persistent()
    }

    /// A number that differs from an earlier one if [`Rib::held`] may.
    pub(crate) fn held_version(&self) -> u64 {
        self.held.version()
    }

    /// This node's claims are in the cluster `cluster` now.
    pub(crate) fn set_cluster(&mut self, cluster: Option<u64>) {
        self.seen.cluster = cluster.or(self.seen.cluster);
    }

    /// The routes that the kernel should have.
    pub(crate) fn desired(&self) -> &Desired {
        &self.desired
    }

    /// Takes a complete snapshot. `desired` is what was wanted up to now.
    pub(crate) fn reset(&mut self, view: Snapshot, here: LocalView<'_>) -> Effect {
        if let Some(theirs) = view
            .network
            .as_ref()
            .filter(|it| !it.agrees_with(here.network))
        {
            // Its claims mean something else. What was known before stays, whatever follows.
            let (ours, theirs) = (here.network.clone(), theirs.clone());
            self.distrust = Some(Distrust::OtherNetwork { ours, theirs });
            return Effect {
                scope: Scope::Only(BTreeSet::new()),
                rejoin: true,
            };
        }
        let claims = ClaimIndex::new(&view);
        let verdict = held::withdrawals_allowed(self.seen, here.owned, here.node, &view, &claims);
        if verdict.is_err() {
            let peers = self.desired.iter().filter(|(_, path)| path.is_to_peer());
            for (subnet, path) in peers {
                let node = self.judged.get(subnet).map(|judged| &judged.node);
                self.held.hold(*subnet, *path, node);
            }
        }
        self.held.release_confirmed(&view, verdict.is_ok());
        self.distrust = verdict.err();
        self.seen.revision = view.revision;
        let rejoin = lacks_ours(&view, &claims, here);
        self.claims = claims;
        self.view = Some(view);
        Effect {
            scope: Scope::All,
            rejoin,
        }
    }

    /// Takes the changes of one revision.
    pub(crate) fn change(
        &mut self,
        revision: i64,
        changes: Vec<Change>,
        here: LocalView<'_>,
    ) -> Effect {
        let is_foreign = matches!(self.distrust, Some(Distrust::OtherNetwork { .. }));
        let Some(view) = self.view.as_mut().filter(|_| !is_foreign) else {
            // Changes to a snapshot that was not taken cannot be understood.
            return Effect {
                scope: Scope::Only(BTreeSet::new()),
                rejoin: false,
            };
        };
        let (mut touched, mut gone, mut ours) = (BTreeSet::new(), Vec::new(), false);
        for change in &changes {
            if let Change::Subnet(subnet, claim) = change {
                match claim {
                    Some(claim) => {
                        ours |= claim.node == *here.node;
                        self.held.release(subnet);
                    }
                    None => gone.push(*subnet),
                }
            }
            if let Some(node) = change.node() {
                ours |= node == *here.node;
                touched.extend(self.claims.of(&node));
            }
            touched.extend(change.subnet());
        }
        let claim = |subnet| (subnet, view.subnets.get(&subnet).cloned());
        let before: Vec<_> = changes
            .iter()
            .filter_map(Change::subnet)
            .map(claim)
            .collect();
        view.apply(revision, changes);
        for (subnet, before) in before {
            ours |= here.owned.contains(&subnet);
            self.claims
                .change(subnet, before, view.subnets.get(&subnet));
        }
        self.seen.revision = revision;
        let (owned, node) = (here.owned, here.node);
        let allowed = held::withdrawals_allowed(self.seen, owned, node, view, &self.claims);
        self.distrust = allowed.err();
        for subnet in gone {
            match (&self.distrust, self.desired.get(&subnet)) {
                (Some(_), Some(path)) if path.is_to_peer() => {
                    let node = self.judged.get(&subnet).map(|judged| &judged.node);
                    self.held.hold(subnet, *path, node);
                }
                _ => self.held.release(&subnet),
            }
        }
        Effect {
            scope: Scope::Only(touched),
            rejoin: ours && lacks_ours(view, &self.claims, here),
        }
    }

    /// Those of `owned` that belong to another node than `node`, and to which.
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

    /// Whose subnet it is, or was until just now.
    pub(crate) fn owner(&self, subnet: &IpNet) -> Option<&NodeName> {
        self.judged
            .get(subnet)
            .map(|judged| &judged.node)
            .or_else(|| self.left.get(subnet))
    }

    /// Whether the claim of `subnet` went since the last report.
    pub(crate) fn has_left(&self, subnet: &IpNet) -> bool {
        self.left.contains_key(subnet)
    }

    /// Everything was reported.
    pub(crate) fn clear_left(&mut self) {
        self.left.clear();
    }
}

/// Whether the registry lacks what this node should have there, or gives this node a subnet that
/// it does not know of.
fn lacks_ours(view: &Snapshot, claims: &ClaimIndex, here: LocalView<'_>) -> bool {
    let claimed: Vec<_> = claims.of(here.node).collect();
    view.network.is_none()
        || !view.nodes.contains_key(here.node)
        || here.owned.iter().any(|subnet| !claimed.contains(subnet))
        || claimed.iter().any(|subnet| !here.owned.contains(subnet))
}
