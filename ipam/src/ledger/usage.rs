//! How many addresses of the node's subnets are in use: for claiming further subnets, and for
//! `routed addresses` and metrics.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::ledger::disk::Disk;
use crate::ledger::error::Error;
use crate::ledger::{Ledger, LockedLedger, allocator};
use crate::timeouts::MIN_COOL_DOWN;

/// The use of one subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubnetUsage {
    /// The subnet.
    pub subnet: IpNet,
    /// The number of its addresses for pods.
    pub capacity: u128,
    /// How many of them are held, or blocked by a damaged file.
    pub held: u64,
    /// How many of them are free but still cooling down.
    pub cooling: u64,
    /// How many of these have cooled down for [`MIN_COOL_DOWN`].
    pub rested: u64,
    /// How long until the last of these has cooled down; zero if there is none.
    pub cool_in: Duration,
}

impl SubnetUsage {
    /// The number of addresses that can be handed out without breaking the cool-down.
    pub fn available(&self) -> u128 {
        let unavailable = u128::from(self.held) + u128::from(self.cooling);
        self.capacity.saturating_sub(unavailable)
    }
}

impl Ledger {
    /// The use of each of `subnets` at `now` (time since boot). Does not take the lock, so
    /// concurrent changes may be missed.
    pub fn usage(
        &self,
        subnets: &[IpNet],
        exclude: &[IpNet],
        cool_down: Duration,
        now: Duration,
    ) -> Result<Vec<SubnetUsage>, Error> {
        usage(self.disk(), subnets, exclude, cool_down, now)
    }
}

/// As [`Ledger::usage`].
pub(crate) fn usage(
    disk: &Disk,
    subnets: &[IpNet],
    exclude: &[IpNet],
    cool_down: Duration,
    now: Duration,
) -> Result<Vec<SubnetUsage>, Error> {
    let mut usage: Vec<_> = subnets.iter().map(|net| unused(*net, exclude)).collect();
    let held = disk.held()?;
    for address in &held {
        if let Some(usage) = of(&mut usage, *address, exclude) {
            usage.held += 1;
        }
    }
    for address in addresses(&Disk::names(&disk.freed())?) {
        let Some(usage) = of(&mut usage, address, exclude) else {
            continue;
        };
        // A time in the future was not written by us. The next ADD replaces it by the present
        // time.
        let age = disk.freed_at(address)?.map(|at| now.saturating_sub(at));
        if let Some(age) =
            age.filter(|age| *age < cool_down && held.binary_search(&address).is_err())
        {
            usage.cooling += 1;
            usage.rested += u64::from(age >= MIN_COOL_DOWN);
            usage.cool_in = usage.cool_in.max(cool_down.saturating_sub(age));
        }
    }
    Ok(usage)
}

impl LockedLedger<'_> {
    /// Releases `subnet` if none of its addresses is held: `unlist` removes it from the list of
    /// the node's subnets. ADD reads that list under the same lock, so no address of the subnet is
    /// handed out afterwards. Also removes the freed addresses and the queue of the subnet. Returns
    /// whether it did.
    pub fn release_subnet<E: From<Error>>(
        &self,
        subnet: &IpNet,
        unlist: impl FnOnce() -> Result<(), E>,
    ) -> Result<bool, E> {
        let held = self.disk.held()?;
        if held.iter().any(|address| subnet.contains(address)) {
            return Ok(false);
        }
        unlist()?;
        for name in Disk::names(&self.disk.freed())? {
            if name
                .parse()
                .is_ok_and(|address: IpAddr| subnet.contains(&address))
            {
                self.disk.remove(&self.disk.freed().join(name))?;
            }
        }
        self.disk.remove(&self.disk.queue(subnet))?;
        Ok(true)
    }
}

fn addresses(names: &[String]) -> impl Iterator<Item = IpAddr> {
    names.iter().filter_map(|name| name.parse().ok())
}

fn unused(subnet: IpNet, exclude: &[IpNet]) -> SubnetUsage {
    SubnetUsage {
        subnet,
        capacity: allocator::usable(&subnet, exclude),
        held: 0,
        cooling: 0,
        rested: 0,
        cool_in: Duration::ZERO,
    }
}

/// The subnet that contains `address`. Excluded addresses are not counted, even if they were handed
/// out before they were excluded.
fn of<'a>(
    usage: &'a mut [SubnetUsage],
    address: IpAddr,
    exclude: &[IpNet],
) -> Option<&'a mut SubnetUsage> {
    let mut usage = usage.iter_mut();
    usage.find(|usage| {
        allocator::is_usable(&usage.subnet, address) && !allocator::is_excluded(address, exclude)
    })
}
