//! Frees the addresses of pods that are gone without DEL: for GC, and for the sweep of `routed`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use wire::cni::Attachment;

use crate::ledger::LockedLedger;
use crate::ledger::allocation::Allocation;
use crate::ledger::disk::{Disk, family};
use crate::ledger::error::Error;
use crate::ledger::release::target;

impl LockedLedger<'_> {
    /// Frees the addresses of every attachment that is not in `valid`, at `now` (time since boot).
    /// Frees as many as possible before it returns errors, for example about damaged files. Returns
    /// the freed addresses.
    pub fn retain_only(
        &self,
        valid: &BTreeSet<Attachment>,
        now: Duration,
    ) -> Result<Vec<IpAddr>, Error> {
        let mut errors = Vec::new();
        let mut freed = Vec::new();
        for (address, allocation) in self.inventory()?.held {
            if allocation
                .attachment()
                .is_ok_and(|attachment| valid.contains(&attachment))
            {
                continue;
            }
            match self.free_address(address, &[allocation.subnet], now) {
                Ok(()) => freed.push(address),
                Err(error) => errors.push(error),
            }
        }
        for attachment in self.linked_attachments()?.difference(valid) {
            match self.free(attachment, now) {
                Ok(addresses) => freed.extend(addresses),
                Err(error) => errors.push(error),
            }
        }
        let left = self.inventory()?;
        errors.extend(left.damaged.into_iter().map(|(_, error)| error));
        errors.extend(left.foreign.into_iter().map(|path| Error::Foreign { path }));
        Error::all(errors).map(|()| freed)
    }

    /// Frees `address`, at `now` (time since boot), if its file still equals `allocation`: a later
    /// attachment of the same name is another one. Returns whether it did.
    pub fn free_stale(
        &self,
        address: IpAddr,
        allocation: &Allocation,
        now: Duration,
    ) -> Result<bool, Error> {
        if self.disk.allocation(address)?.as_ref() != Some(allocation) {
            return Ok(false);
        }
        self.free_address(address, &[allocation.subnet], now)?;
        if let Ok(attachment) = allocation.attachment() {
            let link = self.disk.link(&attachment, family(address));
            if target(&link) == Some(address) {
                self.disk.remove(&link)?;
            }
        }
        Ok(true)
    }

    fn linked_attachments(&self) -> Result<BTreeSet<Attachment>, Error> {
        let folder = self.disk.attachments();
        let mut attachments = BTreeSet::new();
        for name in Disk::names(&folder)? {
            match attachment_of(&name) {
                Some(attachment) => drop(attachments.insert(attachment)),
                None => self.disk.warn(
                    Error::Foreign {
                        path: folder.join(name),
                    }
                    .to_string(),
                ),
            }
        }
        Ok(attachments)
    }
}

/// The attachment of a link. Container ids contain no `@`; interface names may.
fn attachment_of(link: &str) -> Option<Attachment> {
    let name = link
        .strip_suffix(".4")
        .or_else(|| link.strip_suffix(".6"))?;
    let (container_id, interface) = name.split_once('@')?;
    Attachment::new(container_id, interface).ok()
}
