//! Claims a further subnet for a node whose subnets are full.

use ipnet::IpNet;

use super::{NodeClaims, Owned, WITHOUT_LEDGER_LOCK, shortage};
use crate::error::Error;
use crate::protocol::Goal;

impl NodeClaims<'_> {
    /// Claims a further subnet of `pod_cidr`, because those in `seen` are full, and appends it to
    /// the file. Several processes may do this at once: if the file already has a subnet that is
    /// not in `seen`, nothing happens. Returns the subnets of the node.
    ///
    /// A claim that the registry has for the node but the file lacks, left by a process that was
    /// killed in the middle of this, is adopted before another is made.
    pub async fn further(self, pod_cidr: &IpNet, seen: &[IpNet]) -> Result<Owned, Error> {
        let (_lock, left) = self.lock().await?;
        let Some(mut known) = self.load()? else {
            return self.renew_locked(left, WITHOUT_LEDGER_LOCK).await;
        };
        let network = self.registry.network();
        let is_new = |subnet: &IpNet| {
            network.pod_cidr_of(subnet) == Some(*pod_cidr) && !seen.contains(subnet)
        };
        if known.subnets.iter().any(is_new) {
            return Ok(known);
        }
        let goal = Goal::Further {
            pod_cidr,
            known: Some(&known.subnets),
        };
        let outcome = self.registry.acquire(self.claimant(), goal, left).await;
        shortage::record(self.folder, &[*pod_cidr], outcome.as_ref().err());
        if let Err(Error::NodeTaken { .. }) = &outcome {
            // The subnets went with the name: renewing removes them from the file.
            return self.renew_locked(left, WITHOUT_LEDGER_LOCK).await;
        }
        let outcome = outcome?;
        if outcome.cluster != known.cluster {
            // Another cluster lacks the claims in the file: renewing makes them there.
            return self.renew_locked(left, WITHOUT_LEDGER_LOCK).await;
        }
        known.subnets.extend(outcome.subnets);
        known.store(self.folder)?;
        Ok(known)
    }
}
