//! Growing and shrinking: what a node owns beyond one subnet of each pod CIDR.

use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;
use wire::node::NodeName;

use super::{AT_ONCE, Owned, UnderLedgerLock, lock, renew_locked, shortage};
use crate::error::Error;
use crate::protocol::{Claimant, Goal};
use crate::registry::Registry;

/// Claims a further subnet of `pod_cidr` for a node to which those in `seen` are not enough, and
/// puts it behind the others in the file in `folder`. Several processes may do this at once: if
/// the file has one by now that was not `seen`, nothing happens. Returns what the node owns then.
///
/// A claim that the registry has for the node already and the file lacks, as a process leaves it
/// that is killed in the middle of this, is adopted before another is made.
pub async fn claim_further(
    registry: &Registry,
    folder: &Path,
    node: &NodeName,
    machine: &str,
    pod_cidr: &IpNet,
    seen: &[IpNet],
) -> Result<Owned, Error> {
    let (_lock, left) = lock(folder, registry.policy().patience).await?;
    let known = Owned::load(folder)?.filter(|known| known.node == *node);
    let Some(mut known) = known else {
        return renew_locked(registry, folder, node, machine, left, AT_ONCE).await;
    };
    let network = registry.network();
    let is_new =
        |subnet: &IpNet| network.pod_cidr_of(subnet) == Some(*pod_cidr) && !seen.contains(subnet);
    if known.subnets.iter().any(is_new) {
        return Ok(known);
    }
    let me = Claimant {
        node,
        machine,
        addresses: None,
    };
    let want = Goal::Further {
        pod_cidr,
        known: Some(&known.subnets),
    };
    let outcome = registry.acquire(me, want, left).await;
    shortage::record(folder, &[*pod_cidr], outcome.as_ref().err());
    if let Err(Error::NodeTaken { .. }) = &outcome {
        // The subnets went with the name: take them off the file.
        return renew_locked(registry, folder, node, machine, left, AT_ONCE).await;
    }
    let outcome = outcome?;
    if outcome.cluster != known.cluster {
        // It lacks the claims that the file has: bring all of them together.
        return renew_locked(registry, folder, node, machine, left, AT_ONCE).await;
    }
    known.subnets.extend(outcome.subnets);
    known.store(folder)?;
    Ok(known)
}

/// Gives `subnet` back, unless it is the first that the node owns of its pod CIDR: that one stays.
///
/// `let_go` makes sure that nobody on this node uses the subnet, and that nobody begins to before
/// it has called the function it is given, which takes the subnet off the file in `folder`. It
/// returns whether it did. Only then the claim goes. If the registry is out of reach at that
/// point, or this is killed, the next [`super::renew`] adopts the claim again; a request that is
/// still under way then comes too late.
pub async fn give_back<E: From<Error>>(
    registry: &Registry,
    folder: &Path,
    node: &NodeName,
    machine: &str,
    subnet: &IpNet,
    let_go: impl FnOnce(&dyn Fn() -> Result<(), Error>) -> Result<bool, E>,
) -> Result<bool, E> {
    let (_lock, _) = lock(folder, registry.policy().patience).await?;
    let Some(mut owned) = Owned::load(folder)?.filter(|owned| owned.node == *node) else {
        return Ok(false);
    };
    let network = registry.network();
    let pod_cidr = network.pod_cidr_of(subnet);
    let mut siblings = owned.subnets.iter();
    let first = siblings.find(|other| network.pod_cidr_of(other) == pod_cidr);
    if first == Some(subnet) || !owned.subnets.contains(subnet) {
        return Ok(false);
    }
    owned.subnets.retain(|other| other != subnet);
    if !let_go(&|| owned.store(folder))? {
        return Ok(false);
    }
    registry.release(node, machine, subnet).await?;
    Ok(true)
}

/// Takes the `lost` subnets off the file in `folder`, [`UnderLedgerLock`], because somebody else has them:
/// needs no registry, and waits no longer than `patience` for other processes. Returns what the
/// node owns then; `None` if it owned none of them.
pub async fn disown(
    folder: &Path,
    node: &NodeName,
    patience: Duration,
    lost: impl Fn(&IpNet) -> bool,
    in_peace: UnderLedgerLock<'_>,
) -> Result<Option<Owned>, Error> {
    let (_lock, _) = lock(folder, patience).await?;
    let Some(mut owned) = Owned::load(folder)?.filter(|owned| owned.node == *node) else {
        return Ok(None);
    };
    let before = owned.subnets.len();
    owned.subnets.retain(|subnet| !lost(subnet));
    if owned.subnets.len() == before {
        return Ok(None);
    }
    in_peace(&|| owned.store(folder))?;
    Ok(Some(owned))
}
