//! The ledger of one network on one node: which attachment holds which address.
//!
//! There is no daemon for it. A process that changes it locks the folder, for microseconds, and
//! makes a few steps (see [`crate::ledger::steps`]) in an order that allows an interruption between
//! any two of them:
//!
//! - ADD: the attachment's link, then the address file, which appears with its whole content.
//! - DEL: the address file is moved to the freed ones, then the link is removed.
//!
//! So an address is held exactly while its file is in `addresses`. The holder's addresses are found
//! by its links. A link without an address file means nothing.

mod allocate;
pub(crate) mod allocation;
pub(crate) mod allocator;
pub(crate) mod cooling;
pub(crate) mod disk;
pub(crate) mod error;
pub(crate) mod follow;
pub(crate) mod free_queue;
pub(crate) mod inventory;
pub(crate) mod kernel_pods;
pub(crate) mod lock;
pub(crate) mod queue_format;
pub(crate) mod release;
pub(crate) mod request;
pub(crate) mod restore;
pub(crate) mod scan;
pub(crate) mod steps;
pub(crate) mod sweep;
pub(crate) mod unavailable;
pub(crate) mod usage;

use std::net::IpAddr;

use ipnet::IpNet;

use crate::ledger::disk::Disk;
use crate::ledger::error::Error;
use crate::ledger::inventory::Inventory;
use crate::ledger::kernel_pods::PodAddress;
use crate::ledger::lock::LedgerLock;

/// The ledger of one network.
pub struct Ledger {
    disk: Disk,
    is_new: bool,
}

impl Ledger {
    /// The ledger in the folder of `disk`, which is created if it is missing.
    pub fn create(disk: Disk) -> Result<Self, Error> {
        let is_new = disk.make_folders()?;
        Ok(Self { disk, is_new })
    }

    /// Whether its folders, or some of them, were missing: after a boot, or because another program
    /// removed them.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The ledger in the folder of `disk`; `None` if there is none, and so no address is held.
    pub fn existing(disk: Disk) -> Result<Option<Self>, Error> {
        let exists = Disk::exists(disk.root())?;
        Ok(exists.then_some(Self {
            disk,
            is_new: false,
        }))
    }

    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Whether the node's subnets were confirmed by the registry since the last boot, or the
    /// registry could not be reached then.
    pub fn is_confirmed(&self) -> Result<bool, Error> {
        Disk::exists(&self.disk.confirmed())
    }

    /// Marks them as confirmed. If that fails, the next ADD confirms again.
    pub fn confirm(&self) {
        if let Err(error) = self.disk.mark_confirmed() {
            self.disk.warn(error.to_string());
        }
    }

    /// Waits for the lock. Keep the session short: all other processes wait for it.
    pub fn lock(&self) -> Result<LockedLedger<'_>, Error> {
        Ok(LockedLedger {
            disk: &self.disk,
            _lock: lock::folder(self.disk.root())?,
        })
    }

    /// Like [`Ledger::lock`], but returns `None` instead of waiting.
    pub fn try_lock(&self) -> Result<Option<LockedLedger<'_>>, Error> {
        let lock = lock::try_folder(self.disk.root())?;
        Ok(lock.map(|lock| LockedLedger {
            disk: &self.disk,
            _lock: lock,
        }))
    }

    /// Reads all address files without the lock: concurrent changes may be missed.
    pub fn inventory(&self) -> Result<Inventory, Error> {
        Inventory::read(&self.disk)
    }

    /// Whether the ledger lacks files that [`LockedLedger::restore`] would add. Does not take the
    /// lock, so concurrent changes may be missed.
    pub fn is_incomplete(&self, pods: &[PodAddress], subnets: &[IpNet]) -> Result<bool, Error> {
        Ok(!self.inventory()?.is_complete(&self.disk, pods, subnets))
    }

    /// Adds the damaged files to the error that no address is free. Call it after the session:
    /// finding them takes longer than other processes should wait.
    pub fn with_context(&self, error: Error) -> Error {
        let Error::Exhausted { subnets, .. } = error else {
            return error;
        };
        match Inventory::read(&self.disk) {
            Ok(inventory) => {
                let damaged = inventory.damaged.into_iter().map(|(address, _)| address);
                let blocks = |address: &IpAddr| subnets.iter().any(|net| net.contains(address));
                let damaged = damaged
                    .filter(blocks)
                    .map(|it| self.disk.address(it))
                    .collect();
                Error::Exhausted { subnets, damaged }
            }
            Err(second) => Error::Several(vec![
                Error::Exhausted {
                    subnets,
                    damaged: Vec::new(),
                },
                second,
            ]),
        }
    }

    /// Takes the warnings: problems that made no operation fail.
    pub fn warnings(&self) -> Vec<String> {
        self.disk.warnings()
    }
}

/// The locked ledger.
pub struct LockedLedger<'a> {
    pub(crate) disk: &'a Disk,
    _lock: LedgerLock,
}
