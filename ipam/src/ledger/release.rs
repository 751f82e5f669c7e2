//! Freeing addresses, and finding those that an attachment holds.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;
use wire::cni::Attachment;

use crate::ledger::LockedLedger;
use crate::ledger::allocation::Allocation;
use crate::ledger::allocator::Freed;
use crate::ledger::disk::{Disk, family};
use crate::ledger::error::Error;
use crate::ledger::inventory::Inventory;

impl LockedLedger<'_> {
    /// Frees the addresses of `attachment`, at `now` (time since boot). Frees as many as possible
    /// before it returns errors. Returns the freed addresses.
    pub fn free(&self, attachment: &Attachment, now: Duration) -> Result<Vec<IpAddr>, Error> {
        let mut freed = Vec::new();
        let mut errors = Vec::new();
        let mut is_linked = true;
        for family in ['4', '6'] {
            let link = self.disk.link(attachment, family);
            is_linked &= Disk::exists(&link)?;
            match self.free_linked(attachment, &link, now) {
                Ok(addresses) => freed.extend(addresses),
                Err(error) => errors.push(error),
            }
        }
        if !is_linked && self.has_lost_links() {
            for (address, allocation) in self.held_by_file(attachment)? {
                match self.free_address(address, &[allocation.subnet], now) {
                    Ok(()) => freed.push(address),
                    Err(error) => errors.push(error),
                }
            }
        }
        Error::all(errors).map(|()| freed)
    }

    /// Whether links may be missing: another program removed them, and the next ADD, which makes
    /// them anew, has not been called yet.
    fn has_lost_links(&self) -> bool {
        Disk::is_empty(&self.disk.attachments()) || Disk::is_empty(&self.disk.queues())
    }

    /// The addresses of `attachment` from all address files, which is slow.
    fn held_by_file(&self, attachment: &Attachment) -> Result<Vec<(IpAddr, Allocation)>, Error> {
        let mut held = self.inventory()?.held;
        held.retain(|(_, allocation)| allocation.is_of(attachment));
        Ok(held)
    }

    fn free_linked(
        &self,
        attachment: &Attachment,
        link: &Path,
        now: Duration,
    ) -> Result<Vec<IpAddr>, Error> {
        let mut freed = Vec::new();
        for address in self.linked(attachment, link)? {
            if self.release(attachment, address, link, now)? {
                freed.push(address);
            }
        }
        self.disk.remove(link)?;
        Ok(freed)
    }

    /// The addresses that `attachment` holds.
    pub fn held(&self, attachment: &Attachment) -> Result<Vec<IpAddr>, Error> {
        let mut held = Vec::new();
        for family in ['4', '6'] {
            for address in self.linked(attachment, &self.disk.link(attachment, family))? {
                let allocation = self.disk.allocation(address)?;
                held.extend(
                    allocation
                        .filter(|it| it.is_of(attachment))
                        .map(|_| address),
                );
            }
        }
        Ok(held)
    }

    /// The address that a link names. If the link is damaged, searches all address files for those
    /// of `attachment`, which is slow.
    fn linked(&self, attachment: &Attachment, link: &Path) -> Result<Vec<IpAddr>, Error> {
        if !Disk::exists(link)? {
            return Ok(Vec::new());
        }
        if let Some(address) = target(link) {
            return Ok(vec![address]);
        }
        self.disk.warn(format!(
            "{} is damaged: it is not a link to an address",
            link.display()
        ));
        let held = self.held_by_file(attachment)?.into_iter();
        Ok(held.map(|(address, _)| address).collect())
    }

    /// Frees `address` if it is held by `attachment`, whose link names it. A damaged address file
    /// is freed too, unless the link of another attachment names the address.
    fn release(
        &self,
        attachment: &Attachment,
        address: IpAddr,
        link: &Path,
        now: Duration,
    ) -> Result<bool, Error> {
        match self.disk.allocation(address) {
            Ok(None) => Ok(false),
            Ok(Some(allocation)) if !allocation.is_of(attachment) => Ok(false),
            Ok(Some(allocation)) => {
                self.free_address(address, &[allocation.subnet], now)?;
                Ok(true)
            }
            Err(damage @ Error::Damaged { .. }) => {
                self.disk.warn(damage.to_string());
                if !self.disk.address(address).is_file() || self.is_linked(address, link)? {
                    return Ok(false);
                }
                self.free_address(address, &self.queues_with(address)?, now)?;
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// Moves the file of `address` to the freed ones. The queue entry is written first. If this is
    /// interrupted in between, the entry is skipped, because the address is not free. In the other
    /// order, the address would be lost to the queue. A failure of all but the move delays only when
    /// the address is handed out again.
    pub(crate) fn free_address(
        &self,
        address: IpAddr,
        subnets: &[IpNet],
        now: Duration,
    ) -> Result<(), Error> {
        if let Err(error) = self.disk.stamp(address, now) {
            self.disk.warn(error.to_string());
        }
        for subnet in subnets {
            let appended = self.disk.append(subnet, &Freed { address, at: now });
            // On a full disk, the next ADD rebuilds the queue.
            let outcome = appended.or_else(|_| self.disk.remove(&self.disk.queue(subnet)));
            if let Err(error) = outcome {
                self.disk.warn(error.to_string());
            }
        }
        self.disk.free(address)
    }

    /// Whether a link other than `except` names `address`.
    fn is_linked(&self, address: IpAddr, except: &Path) -> Result<bool, Error> {
        let folder = self.disk.attachments();
        let mut links = Disk::names(&folder)?
            .into_iter()
            .map(|name| folder.join(name));
        Ok(links.any(|link| link != except && target(&link) == Some(address)))
    }

    /// The subnets with a queue that contain `address`.
    fn queues_with(&self, address: IpAddr) -> Result<Vec<IpNet>, Error> {
        let names = Disk::names(&self.disk.queues())?;
        let subnets = names
            .iter()
            .filter_map(|name| name.replace('-', "/").parse().ok());
        Ok(subnets
            .filter(|subnet: &IpNet| subnet.contains(&address))
            .collect())
    }

    /// Reads all address files.
    pub fn inventory(&self) -> Result<Inventory, Error> {
        Inventory::read(self.disk)
    }
}

/// The address that a link names. Its family must match the suffix of the link's name.
pub(crate) fn target(link: &Path) -> Option<IpAddr> {
    let target = fs::read_link(link).ok()?;
    let address: IpAddr = target
        .strip_prefix("../addresses")
        .ok()?
        .to_str()?
        .parse()
        .ok()?;
    let named = link.to_str()?.strip_suffix(family(address));
    named
        .is_some_and(|rest| rest.ends_with('.'))
        .then_some(address)
}
