//! Gives a subnet back to the registry, and removes lost subnets from the file.

use std::time::Duration;

use ipnet::IpNet;

use super::{NodeClaims, Owned, UnderLedgerLock};
use crate::error::Error;

impl NodeClaims<'_> {
    /// Gives `subnet` back, unless it is the node's first one of its pod CIDR: that one stays.
    ///
    /// `if_unused` checks, under the lock of the ledger, that no address of the subnet is in use.
    /// If so, it calls the given function, which removes the subnet from the file, and returns
    /// `true`. Only then the claim is deleted. If the registry cannot be reached at that point, or
    /// this process is killed, the next [`NodeClaims::renew`] adopts the claim again, and a request
    /// that is still in flight then fails.
    pub async fn give_back<E: From<Error>>(
        self,
        subnet: &IpNet,
        if_unused: impl FnOnce(&dyn Fn() -> Result<(), Error>) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let (_lock, _) = self.lock().await?;
        let Some(mut owned) = self.load()? else {
            return Ok(false);
        };
        let network = self.registry.network();
        let pod_cidr = network.pod_cidr_of(subnet);
        let mut siblings = owned.subnets.iter();
        let first = siblings.find(|other| network.pod_cidr_of(other) == pod_cidr);
        if first == Some(subnet) || !owned.subnets.contains(subnet) {
            return Ok(false);
        }
        owned.subnets.retain(|other| other != subnet);
        if !if_unused(&|| owned.store(self.folder))? {
            return Ok(false);
        }
        self.registry
            .release(self.node, self.machine, subnet)
            .await?;
        Ok(true)
    }

    /// Removes the `lost` subnets, which other nodes own, from the file, [`UnderLedgerLock`]. Does
    /// not use the registry. Waits at most `time_limit` for other processes. Returns the remaining
    /// subnets; `None` if the node owned none of the lost ones.
    pub async fn disown(
        self,
        time_limit: Duration,
        lost: impl Fn(&IpNet) -> bool,
        under_lock: UnderLedgerLock<'_>,
    ) -> Result<Option<Owned>, Error> {
        let (_lock, _) = self.lock_within(time_limit).await?;
        let Some(mut owned) = self.load()? else {
            return Ok(None);
        };
        let before = owned.subnets.len();
        owned.subnets.retain(|subnet| !lost(subnet));
        if owned.subnets.len() == before {
            return Ok(None);
        }
        under_lock(&|| owned.store(self.folder))?;
        Ok(Some(owned))
    }
}
