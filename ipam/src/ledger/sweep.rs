//! Giving back what nobody gave back: for GC, and for whoever finds out otherwise that a pod is
//! gone.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use wire::cni::Attachment;

use crate::ledger::Session;
use crate::ledger::allocation::Allocation;
use crate::ledger::disk::{Disk, family};
use crate::ledger::error::Error;
use crate::ledger::release::target;

impl Session<'_> {
    /// Frees what every attachment except those in `valid` holds, as of `now` (time since boot).
    /// Does all that it can before it reports what it could not: files that do not say who holds
    /// an address, among others. Returns the addresses that it freed.
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

    /// Frees `address`, as of `now` (time since boot), if it is still held just as `allocation`
    /// says: an attachment of the same name that came later is another. Returns whether it was.
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

/// The attachment whose link has this name. A container id holds no `@`, an interface name may.
fn attachment_of(link: &str) -> Option<Attachment> {
    let name = link
        .strip_suffix(".4")
        .or_else(|| link.strip_suffix(".6"))?;
    let (container_id, interface) = name.split_once('@')?;
    Attachment::new(container_id, interface).ok()
}
