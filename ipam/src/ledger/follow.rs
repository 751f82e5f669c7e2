//! Follows the address files of a ledger: which were added and removed since the last look.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::DirEntryExt;
use std::path::PathBuf;

use crate::ledger::allocation::Allocation;
use crate::ledger::disk::{Disk, is_missing};
use crate::ledger::error::Error;

/// A change of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllocationChange {
    /// The address is held.
    Added(IpAddr, Allocation),
    /// It is no longer held, or by another holder: that one is added afterwards.
    Removed(IpAddr, Allocation),
}

/// Reads a ledger again and again. Files that were read before are not opened again: they never
/// change, and a new one of the same name is another inode.
pub struct AllocationReader {
    folder: PathBuf,
    disk: Disk,
    known: BTreeMap<IpAddr, Known>,
}

struct Known {
    inode: u64,
    /// `None` if the file is damaged.
    allocation: Option<Allocation>,
}

impl AllocationReader {
    /// A reader of the ledger in `root` that has read nothing yet. It need not exist.
    pub fn new(root: PathBuf) -> Self {
        let disk = Disk::new(root);
        Self {
            folder: disk.addresses(),
            disk,
            known: BTreeMap::new(),
        }
    }

    /// The folder whose names are the held addresses: watch it, and call [`AllocationReader::changes`]
    /// whenever a name appears or vanishes.
    pub fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// What changed since the last call. Damaged files hold nothing.
    pub fn changes(&mut self) -> Result<Vec<AllocationChange>, Error> {
        let found = self.list()?;
        let mut changes = Vec::new();
        self.known.retain(|address, known| {
            let is_kept = found.get(address) == Some(&known.inode);
            if !is_kept {
                let gone = known.allocation.take();
                changes.extend(gone.map(|it| AllocationChange::Removed(*address, it)));
            }
            is_kept
        });
        for (address, inode) in found {
            if self.known.contains_key(&address) {
                continue;
            }
            let allocation = match self.disk.allocation(address) {
                // Removed since it was listed: the next event tells.
                Ok(None) => continue,
                Ok(Some(allocation)) => Some(allocation),
                Err(Error::Damaged { .. }) => None,
                Err(error) => return Err(error),
            };
            let added = allocation
                .clone()
                .map(|it| AllocationChange::Added(address, it));
            changes.extend(added);
            self.known.insert(address, Known { inode, allocation });
        }
        Ok(changes)
    }

    /// The addresses that have a file, and the inodes.
    fn list(&self) -> Result<BTreeMap<IpAddr, u64>, Error> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if is_missing(&error) => return Ok(BTreeMap::new()),
            entries => entries.map_err(Error::io("list", &self.folder))?,
        };
        let mut found = BTreeMap::new();
        for entry in entries {
            let entry = entry.map_err(Error::io("list", &self.folder))?;
            if let Ok(address) = entry.file_name().to_string_lossy().parse() {
                found.insert(address, entry.ino());
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
