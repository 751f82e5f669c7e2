//! Everything that the ledger's folder of address files holds.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::ledger::allocation::Allocation;
use crate::ledger::disk::Disk;
use crate::ledger::error::Error;

/// Everything in the folder of the address files.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Addresses that are held, and by whom, in order.
    pub held: Vec<(IpAddr, Allocation)>,
    /// Addresses whose file does not say who holds them: nobody gets them. And why.
    pub damaged: Vec<(IpAddr, Error)>,
    /// Files that are not named like an address.
    pub foreign: Vec<PathBuf>,
}

impl Inventory {
    /// Reads every file. Without a lock it may miss what comes and goes meanwhile.
    pub(crate) fn read(disk: &Disk) -> Result<Self, Error> {
        let mut inventory = Self::default();
        for name in Disk::names(&disk.addresses())? {
            let Ok(address) = name.parse::<IpAddr>() else {
                inventory.foreign.push(disk.addresses().join(name));
                continue;
            };
            match disk.allocation(address) {
                Ok(Some(allocation)) => inventory.held.push((address, allocation)),
                Ok(None) => {}
                Err(error @ Error::Damaged { .. }) => inventory.damaged.push((address, error)),
                Err(error) => return Err(error),
            }
        }
        inventory.held.sort_by_key(|(address, _)| *address);
        inventory.damaged.sort_by_key(|(address, _)| *address);
        Ok(inventory)
    }
}
