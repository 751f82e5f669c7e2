//! Which addresses are held and which were freed, read from the files themselves: what queues are
//! written from when they are lost, and before it is believed that no address is left.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::ledger::allocator::{self, Freed};
use crate::ledger::disk::{Disk, is_like};
use crate::ledger::error::Error;

/// All there is of one family, by the names of the files alone: quick even where there are thousands.
pub(crate) struct DiskScan {
    /// In order.
    held: Vec<IpAddr>,
    freed: Vec<Freed>,
}

impl DiskScan {
    /// Reads it for the family of `subnet`, as of `now` (time since boot).
    pub(crate) fn read(disk: &Disk, subnet: &IpNet, now: Duration) -> Result<Self, Error> {
        let held = disk.held_like(subnet)?;
        let mut freed = Vec::new();
        let names = Disk::names(&disk.freed())?;
        for name in names.iter().filter(|name| is_like(name, subnet)) {
            match name.parse() {
                // What a claim left that was cut before it removed it.
                Ok(address) if held.binary_search(&address).is_ok() => {}
                Ok(address) => freed.extend(freed_since(disk, address, now)?),
                Err(_) => disk.warn(
                    Error::Foreign {
                        path: disk.freed().join(name),
                    }
                    .to_string(),
                ),
            }
        }
        freed.sort_by_key(|freed| (freed.at, freed.address));
        Ok(Self { held, freed })
    }

    /// The freed addresses of `subnet`, the longest free first.
    pub(crate) fn freed(&self, subnet: &IpNet) -> impl Iterator<Item = &Freed> {
        self.freed
            .iter()
            .filter(|freed| allocator::is_usable(subnet, freed.address))
    }

    /// The first address of `subnet` that is not held and was never freed.
    pub(crate) fn unused(&self, subnet: &IpNet) -> Option<IpAddr> {
        let freed: HashSet<_> = self.freed(subnet).map(|freed| freed.address).collect();
        let mut next = Some(allocator::first(subnet));
        while let Some(address) = next
            && (self.held.binary_search(&address).is_ok() || freed.contains(&address))
        {
            next = allocator::after(subnet, address);
        }
        next
    }

    /// Lets people know of the files that keep addresses of `subnet` without saying for whom.
    pub(crate) fn warn_of_damage(&self, disk: &Disk, subnet: &IpNet) -> Result<(), Error> {
        let mut held = self.held.iter().filter(|it| subnet.contains(*it));
        held.try_for_each(|address| report_damage(disk, *address))
    }
}

/// Lets people know if the file of `address` keeps it without saying for whom.
pub(crate) fn report_damage(disk: &Disk, address: IpAddr) -> Result<(), Error> {
    match disk.allocation(address) {
        Ok(_) => Ok(()),
        Err(damage @ Error::Damaged { .. }) => {
            disk.warn(format!(
                "{damage}; {address} is not handed out until the file is removed"
            ));
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn freed_since(disk: &Disk, address: IpAddr, now: Duration) -> Result<Option<Freed>, Error> {
    let Some(at) = disk.freed_at(address)? else {
        return Ok(None);
    };
    if at > now {
        // Not a time since boot: somebody touched the file. Count from now, to be safe.
        match disk.set_time(&disk.freed().join(address.to_string()), now) {
            Err(damage @ Error::Damaged { .. }) => {
                disk.warn(damage.to_string());
                return Ok(None);
            }
            result => result?,
        }
    }
    Ok(Some(Freed {
        address,
        at: at.min(now),
    }))
}
