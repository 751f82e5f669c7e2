//! Reads all address files.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::ledger::allocation::Allocation;
use crate::ledger::disk::Disk;
use crate::ledger::error::Error;

/// The content of the folder of address files.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The held addresses and their holders, sorted.
    pub held: Vec<(IpAddr, Allocation)>,
    /// Addresses with a damaged file, which are not handed out, and what is wrong with the file.
    pub damaged: Vec<(IpAddr, Error)>,
    /// Files whose name is no address.
    pub foreign: Vec<PathBuf>,
}

impl Inventory {
    /// Reads every file. Without the lock, concurrent changes may be missed.
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
