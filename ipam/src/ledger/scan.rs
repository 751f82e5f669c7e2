//! Scans the address files for held and freed addresses: to rebuild queues, and before an ADD fails
//! because no address is left.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::ledger::allocator::{self, Freed};
use crate::ledger::disk::{Disk, is_same_family};
use crate::ledger::error::Error;
use crate::ledger::request::AddressRequest;
use crate::ledger::restore::restore;

/// The addresses of one family, from the names of the files only: fast even with thousands.
pub(crate) struct DiskScan {
    /// Sorted.
    held: Vec<IpAddr>,
    freed: Vec<Freed>,
}

impl DiskScan {
    /// Scans the family of `subnet`. Addresses of running pods that the ledger has lost are added to
    /// it before.
    pub(crate) fn read(
        disk: &Disk,
        subnet: &IpNet,
        request: &AddressRequest<'_>,
    ) -> Result<Self, Error> {
        if let Some(pods) = request.kernel_pods.read_once()? {
            restore(disk, &pods, &request.pools.concat())?;
        }
        let now = request.now;
        let held = disk.held_of_family(subnet)?;
        let mut freed = Vec::new();
        let names = Disk::names(&disk.freed())?;
        for name in names.iter().filter(|name| is_same_family(name, subnet)) {
            match name.parse() {
                // Left by a claim that was interrupted before it removed this file.
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

    /// The freed addresses of `subnet`, those that are free for longest first.
    pub(crate) fn freed(&self, subnet: &IpNet) -> impl Iterator<Item = &Freed> {
        self.freed
            .iter()
            .filter(|freed| allocator::is_usable(subnet, freed.address))
    }

    /// The first address of `subnet` that is neither held nor freed.
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

    /// Warns of damaged address files in `subnet`.
    pub(crate) fn warn_of_damage(&self, disk: &Disk, subnet: &IpNet) -> Result<(), Error> {
        let mut held = self.held.iter().filter(|it| subnet.contains(*it));
        held.try_for_each(|address| report_damage(disk, *address))
    }
}

/// Warns if the file of `address` is damaged.
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
        // Not a time since boot: another program touched the file. Use the present time, to be
        // safe.
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
