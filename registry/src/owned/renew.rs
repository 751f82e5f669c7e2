//! Reconciles `subnets.json` with the registry, and claims the first subnets of a node.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use wire::conf::IpamConfig;

use super::{NodeClaims, Owned, UnderLedgerLock, WITHOUT_LEDGER_LOCK, lacking, shortage};
use crate::error::Error;
use crate::protocol::{Goal, Registration};

impl NodeClaims<'_> {
    /// Makes sure that the node owns a subnet of each pod CIDR, and that the file says which.
    ///
    /// The registry is used only if the file lacks a pod CIDR; then like [`NodeClaims::renew`]. If
    /// several processes do this at once, one of them does the work.
    pub async fn ensure(self, conf: &IpamConfig) -> Result<Owned, Error> {
        let known = || match Owned::load(self.folder) {
            // Renewing writes it again.
            Err(Error::CorruptFile { .. }) => Ok(None),
            known => {
                known.map(|known| known.filter(|known| known.has_all_families(self.node, conf)))
            }
        };
        if let Some(known) = known()? {
            return Ok(known);
        }
        let (_lock, left) = self.lock().await?;
        match known()? {
            Some(known) => Ok(known),
            None => self.renew_locked(left, WITHOUT_LEDGER_LOCK).await,
        }
    }

    /// Reconciles the file with the registry, even if the file is complete: the registry may have
    /// been wiped or restored, or have a claim of this node that the file lacks.
    ///
    /// The node's name is acquired (see [`Registry::register`](crate::Registry::register)). Claims
    /// that only the registry has are adopted. Claims that only the file has are made again, unless
    /// another node has them by now. Missing subnets are claimed. A damaged file is written again;
    /// while the registry is down it is left as it is, and the error names it. Subnets of other
    /// nodes are removed from the file even if the name is taken or no subnet can be claimed.
    pub async fn renew(self) -> Result<Owned, Error> {
        self.renew_under_lock(WITHOUT_LEDGER_LOCK).await
    }

    /// Like [`NodeClaims::renew`], with lost subnets removed from the file [`UnderLedgerLock`].
    pub async fn renew_under_lock(self, under_lock: UnderLedgerLock<'_>) -> Result<Owned, Error> {
        let (_lock, left) = self.lock().await?;
        self.renew_locked(left, under_lock).await
    }

    pub(super) async fn renew_locked(
        self,
        time_limit: Duration,
        under_lock: UnderLedgerLock<'_>,
    ) -> Result<Owned, Error> {
        let (known, damage) = match self.load() {
            Ok(known) => (known, None),
            Err(Error::CorruptFile { path, why }) => (None, Some((path, why))),
            Err(error) => return Err(error),
        };
        let keep = known.as_ref().map_or(&[][..], |known| &known.subnets);
        let (registry, claimant) = (self.registry, self.claimant());
        let goal = Goal::Subnets { keep };
        let acquired = registry.acquire(claimant, goal, time_limit).await;
        let lacking = lacking(registry.network(), keep);
        shortage::record(self.folder, &lacking, acquired.as_ref().err());
        let (outcome, refusal) = match acquired {
            Ok(outcome) => (outcome, None),
            Err(taken @ Error::NodeTaken { .. }) => {
                if let Some(known) = known.filter(|known| !known.subnets.is_empty()) {
                    // The other machine hands out addresses from them.
                    self.reconcile_file(Some(&known), &known.empty(), under_lock)?;
                }
                return Err(taken);
            }
            Err(exhausted @ Error::Exhausted { .. }) => {
                // Subnets of other nodes are not handed out from any more, in any case.
                let goal = Goal::Kept { keep };
                let kept = registry.acquire(claimant, goal, time_limit).await?;
                (kept, Some(exhausted))
            }
            Err(error) => return Err(with_damaged_file(damage, error)),
        };
        if let Some((path, why)) = damage {
            tracing::warn!(path = %path.display(), "{} was unusable ({why}); rebuilt from the registry", path.display());
        }
        if let Registration::TookOver { from } = &outcome.registration {
            let (node, gone) = (self.node, &from.machine_id);
            tracing::warn!(node = %node, "took over the name and the subnets of node {node} from machine {gone}");
        }
        let owned = Owned {
            cluster: outcome.cluster,
            node: self.node.clone(),
            subnets: in_order(keep, &outcome.subnets),
        };
        self.reconcile_file(known.as_ref(), &owned, under_lock)?;
        refusal.map_or(Ok(owned), Err)
    }

    /// Writes the file if what the node owns is not what was `known`, and logs lost subnets.
    fn reconcile_file(
        self,
        known: Option<&Owned>,
        owned: &Owned,
        under_lock: UnderLedgerLock<'_>,
    ) -> Result<(), Error> {
        let keep = known.map_or(&[][..], |known| &known.subnets);
        let is_lost = |subnet: &&IpNet| !owned.subnets.contains(subnet);
        let lost: Vec<_> = keep.iter().filter(is_lost).collect();
        for subnet in &lost {
            let node = self.node;
            tracing::warn!(node = %node, subnet = %subnet, "subnet {subnet} does not belong to node {node} any more");
        }
        if !lost.is_empty() {
            under_lock(&|| owned.store(self.folder))
        } else if known != Some(owned) {
            owned.store(self.folder)
        } else {
            Ok(())
        }
    }
}

/// Names the damaged file, too, if it cannot be written again because the registry is down.
fn with_damaged_file(damage: Option<(PathBuf, String)>, error: Error) -> Error {
    match (damage, error) {
        (Some((path, why)), error @ Error::Unreachable { .. }) => {
            let why = format!("{why}; and it cannot be rebuilt: {}", error.message());
            Error::CorruptFile { path, why }
        }
        (_, error) => error,
    }
}

/// `owned`: first the `known` ones in their previous order, then the new ones.
fn in_order(known: &[IpNet], owned: &[IpNet]) -> Vec<IpNet> {
    let before = known.iter().filter(|subnet| owned.contains(subnet));
    let new = owned.iter().filter(|subnet| !known.contains(subnet));
    before.chain(new).copied().collect()
}
