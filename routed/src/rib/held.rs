//! Held routes: routes that stay although the registry does not show their claims (invariant 4:
//! never delete on a partial view).
//!
//! A claim may be missing because a peer left, or because the registry lost its data (wiped,
//! restored from a backup, the wrong one). A route is withdrawn only if the registry proves that it
//! is the one we know: same cluster, not older than what we saw, with the network's `config` and
//! with our own claims. With Kubernetes, a node without pod CIDRs knows it by its own Node, which has
//! the id of its machine: no process of ours writes that, so a registry that lost its data lacks it.
//! A snapshot that lacks a claim and an event that deletes one need the same proof, because
//! `etcdctl del --prefix` arrives as events. Otherwise the route is *held*: it stays until its claim
//! is seen again, is deleted in a registry that passes, or an operator runs `routed
//! forget`.

use std::collections::BTreeMap;

use ipnet::IpNet;
use registry::{Network, Snapshot};
use wire::node::NodeName;

use crate::rib::claim_index::ClaimIndex;
use crate::rib::local_node::LocalNode;
use crate::rib::path::RoutePath;
use crate::text::list;

/// The registry as this node saw it last; survives a restart in the state file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LastSeen {
    /// The cluster that has our claims: of etcd, or of Kubernetes.
    pub(crate) cluster: Option<u64>,
    /// The highest revision of that cluster that this node saw.
    pub(crate) revision: i64,
}

/// Why a claim that the registry lacks is no reason to withdraw its route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Distrust {
    /// Another cluster answers than the one that has our claims.
    #[error(
        "the registry is another cluster ({now:x}) than the one this node's claims are in ({before:x})"
    )]
    OtherCluster {
        /// The cluster that has our claims.
        before: u64,
        /// The cluster that answers.
        now: u64,
    },
    /// The registry is older than what this node saw of it.
    #[error(
        "the registry is at revision {now}, older than revision {before} seen before (restored from a \
         backup, or wiped)"
    )]
    Older {
        /// The highest revision that this node saw.
        before: i64,
        /// The present revision.
        now: i64,
    },
    /// The registry lacks the network's `config`.
    #[error("the registry does not hold the network's config (wiped?)")]
    NoConfig,
    /// The registry is of another network than this node's conflist. None of its records apply
    /// here.
    #[error("the registry has another network ({theirs}) than this node's conflist ({ours})")]
    OtherNetwork {
        /// The network of the conflist.
        ours: Network,
        /// The network in the registry.
        theirs: Network,
    },
    /// The registry lacks claims that this node owns.
    #[error("the registry lacks this node's own claims of {} (wiped?)", list(.0))]
    OwnClaimsMissing(Vec<IpNet>),
    /// This node owns no subnet, and the registry has no claim of it (with Kubernetes, nor its
    /// machine), so it cannot tell it from another registry.
    #[error("this node has no claim in the registry yet")]
    NotJoined,
}

/// Whether a claim that `view` lacks is a reason to withdraw its route. `claims` are those of
/// `view` by node.
pub(crate) fn withdrawals_allowed(
    seen: LastSeen,
    local: &LocalNode,
    view: &Snapshot,
    claims: &ClaimIndex,
) -> Result<(), Distrust> {
    let LocalNode { node, owned, .. } = local;
    if let Some(before) = seen.cluster.filter(|before| *before != view.cluster) {
        return Err(Distrust::OtherCluster {
            before,
            now: view.cluster,
        });
    }
    if view.revision < seen.revision {
        return Err(Distrust::Older {
            before: seen.revision,
            now: view.revision,
        });
    }
    if view.network.is_none() {
        return Err(Distrust::NoConfig);
    }
    let ours = |subnet: &IpNet| {
        view.subnets
            .get(subnet)
            .is_some_and(|claim| claim.node == *node)
    };
    let missing: Vec<_> = owned
        .iter()
        .copied()
        .filter(|subnet| !ours(subnet))
        .collect();
    if !missing.is_empty() {
        return Err(Distrust::OwnClaimsMissing(missing));
    }
    if owned.is_empty() && claims.of(node).next().is_none() && !has_machine(view, local) {
        return Err(Distrust::NotJoined);
    }
    Ok(())
}

/// Whether another program registered this node with its machine.
fn has_machine(view: &Snapshot, local: &LocalNode) -> bool {
    let record = view.nodes.get(&local.node);
    let machines = record.map(|record| &record.machine_id);
    machines
        .zip(local.registered_machine.as_ref())
        .is_some_and(|(theirs, ours)| !ours.is_empty() && theirs.eq_ignore_ascii_case(ours))
}

/// Held subnets, and whose they were where that is known.
pub(crate) type Owners = BTreeMap<IpNet, Option<NodeName>>;

/// The routes that stay without a claim.
#[derive(Debug, Default)]
pub(crate) struct HeldRoutes {
    routes: BTreeMap<IpNet, HeldRoute>,
    /// Counts the changes of `routes`.
    changes: u64,
}

#[derive(Debug, Clone)]
struct HeldRoute {
    path: RoutePath,
    /// The node that had claimed the subnet, if it is known.
    node: Option<NodeName>,
    /// Held only until the first complete snapshot shows what is stale.
    provisional: bool,
}

impl HeldRoutes {
    /// Holds a route that was in the kernel at the start, until the first snapshot. `held_before`
    /// are the subnets that were held already when the daemon stopped.
    pub(crate) fn adopt(&mut self, subnet: IpNet, path: RoutePath, held_before: &Owners) {
        let route = HeldRoute {
            path,
            node: held_before.get(&subnet).cloned().flatten(),
            provisional: !held_before.contains_key(&subnet),
        };
        self.changes += 1;
        self.routes.insert(subnet, route);
    }

    /// Holds a route whose claim by `node` disappeared from a registry that is not trusted.
    pub(crate) fn hold(&mut self, subnet: IpNet, path: RoutePath, node: Option<&NodeName>) {
        self.changes += 1;
        let known = self.routes.remove(&subnet).and_then(|route| route.node);
        let route = HeldRoute {
            path,
            node: node.cloned().or(known),
            provisional: false,
        };
        self.routes.insert(subnet, route);
    }

    /// Stops holding a subnet, because its claim is there or was deleted in a registry that passes.
    pub(crate) fn release(&mut self, subnet: &IpNet) {
        let was_there = self.routes.remove(subnet).is_some();
        self.changes += u64::from(was_there);
    }

    /// Stops holding the subnets that a complete snapshot claims. If it is `trusted`, also those
    /// that were held only until the first snapshot; otherwise those become held for good.
    pub(crate) fn release_confirmed(&mut self, view: &Snapshot, trusted: bool) {
        self.changes += 1;
        self.routes.retain(|subnet, route| {
            let is_stale = trusted && route.provisional;
            route.provisional = false;
            !is_stale && !view.subnets.contains_key(subnet)
        });
    }

    /// A number that changes with every change.
    pub(crate) fn version(&self) -> u64 {
        self.changes
    }

    /// The path of a held route.
    pub(crate) fn path(&self, subnet: &IpNet) -> Option<RoutePath> {
        self.routes.get(subnet).map(|route| route.path)
    }

    /// All held subnets.
    pub(crate) fn all(&self) -> impl Iterator<Item = IpNet> {
        self.routes.keys().copied()
    }

    /// The subnets that stay held after the first snapshot, with their nodes: what the state file
    /// has.
    pub(crate) fn persistent(&self) -> Owners {
        let persistent = self.routes.iter().filter(|(_, route)| !route.provisional);
        persistent
            .map(|(subnet, route)| (*subnet, route.node.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests;
