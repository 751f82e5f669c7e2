//! What may be withdrawn, and what is held although the registry does not show it (invariant 4:
//! never delete on a partial view).
//!
//! Two kinds of absence look alike: a peer that left, and a registry that forgot (wiped, restored
//! from a backup, the wrong one). A route is withdrawn only where the registry proves that it is
//! the one we know: same cluster, not older than what we saw, the network's `config` in it, and our
//! own claims too. The same proof is asked of a snapshot that lacks a claim and of an event that
//! deletes one, because `etcdctl del --prefix` comes as events. What fails the proof is *held*: it
//! stays until its claim is seen again, is deleted in a registry that passes, or an operator says
//! so.

use std::collections::BTreeMap;
use std::fmt;

use ipnet::IpNet;
use registry::{Network, Snapshot};
use wire::node::NodeName;

use crate::rib::claim_index::ClaimIndex;
use crate::rib::path::Path;
use crate::text::list;

/// What this node knows of the registry from before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LastSeen {
    /// The etcd cluster that our claims are in.
    pub(crate) cluster: Option<u64>,
    /// The highest revision seen of it.
    pub(crate) revision: i64,
}

/// Why the registry is not believed when it lacks a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Distrust {
    /// It is another etcd cluster than the one our claims are in.
    OtherCluster {
        /// The cluster of our claims.
        before: u64,
        /// The one that answers.
        now: u64,
    },
    /// It is older than what we saw of it.
    Older {
        /// The revision seen.
        before: i64,
        /// The revision it has.
        now: i64,
    },
    /// It holds no agreement on the network.
    NoConfig,
    /// It is about another network than this node's conflist: nothing in it is for this node.
    OtherNetwork {
        /// What the conflist says.
        ours: Network,
        /// What the registry says.
        theirs: Network,
    },
    /// It lacks claims that this node owns.
    OwnClaimsMissing(Vec<IpNet>),
    /// This node has no claim in it, and owns nothing that could tell it from another.
    NotJoined,
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherCluster { before, now } => write!(
                f,
                "etcd is another cluster ({now:x}) than the one this node's claims are in \
                 ({before:x})"
            ),
            Self::Older { before, now } => write!(
                f,
                "etcd is at revision {now}, older than revision {before} seen before (restored \
                 from a backup, or wiped)"
            ),
            Self::NoConfig => f.write_str("etcd does not hold the network's config (wiped?)"),
            Self::OtherNetwork { ours, theirs } => write!(
                f,
                "etcd has another network ({theirs}) than this node's conflist ({ours})"
            ),
            Self::OwnClaimsMissing(missing) => {
                write!(
                    f,
                    "etcd lacks this node's own claims of {} (wiped?)",
                    list(missing)
                )
            }
            Self::NotJoined => f.write_str("this node has no claim in etcd yet"),
        }
    }
}

/// Whether the absence of a claim in `view` is a reason to withdraw its route. `claims` are the
/// ones in `view`, by node.
pub(crate) fn withdrawals_allowed(
    seen: LastSeen,
    owned: &[IpNet],
    node: &NodeName,
    view: &Snapshot,
    claims: &ClaimIndex,
) -> Result<(), Distrust> {
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
    if owned.is_empty() && claims.of(node).next().is_none() {
        return Err(Distrust::NotJoined);
    }
    Ok(())
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
    path: Path,
    /// Whose subnet it was, where that is known.
    node: Option<NodeName>,
    /// Held only until the first complete snapshot tells what is stale.
    provisional: bool,
}

impl HeldRoutes {
    /// Holds what a start finds in the kernel, until the first snapshot. `firm` are the subnets
    /// that were already held when the daemon stopped.
    pub(crate) fn adopt(&mut self, subnet: IpNet, path: Path, firm: &Owners) {
        let hold = HeldRoute {
            path,
            node: firm.get(&subnet).cloned().flatten(),
            provisional: !firm.contains_key(&subnet),
        };
        self.changes += 1;
        self.routes.insert(subnet, hold);
    }

    /// Holds a route whose claim, by `node`, vanished from a registry that is not believed.
    pub(crate) fn hold(&mut self, subnet: IpNet, path: Path, node: Option<&NodeName>) {
        self.changes += 1;
        let known = self.routes.remove(&subnet).and_then(|hold| hold.node);
        let hold = HeldRoute {
            path,
            node: node.cloned().or(known),
            provisional: false,
        };
        self.routes.insert(subnet, hold);
    }

    /// Lets go of a subnet: its claim is there, or was deleted for good.
    pub(crate) fn release(&mut self, subnet: &IpNet) {
        let was_there = self.routes.remove(subnet).is_some();
        self.changes += u64::from(was_there);
    }

    /// A complete snapshot came: lets go of everything it claims, and of what was only held until
    /// it came (`trusted`), or holds on to that too (not `trusted`). Returns the subnets let go
    /// without a claim, which are now to be withdrawn.
    pub(crate) fn release_confirmed(&mut self, view: &Snapshot, trusted: bool) {
        self.changes += 1;
        self.routes.retain(|subnet, hold| {
            let is_stale = trusted && hold.provisional;
            hold.provisional = false;
            !is_stale && !view.subnets.contains_key(subnet)
        });
    }

    /// A number that differs from an earlier one if anything changed since.
    pub(crate) fn version(&self) -> u64 {
        self.changes
    }

    /// The way to a held subnet.
    pub(crate) fn path(&self, subnet: &IpNet) -> Option<Path> {
        self.routes.get(subnet).map(|hold| hold.path)
    }

    /// Everything that is held.
    pub(crate) fn all(&self) -> impl Iterator<Item = IpNet> {
        self.routes.keys().copied()
    }

    /// What is held beyond the first snapshot.
    pub(crate) fn persistent(&self) -> Owners {
        let firm = self.routes.iter().filter(|(_, hold)| !hold.provisional);
        firm.map(|(subnet, hold)| (*subnet, hold.node.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests;
