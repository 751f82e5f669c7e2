//! The queue of freed addresses of one subnet: finds a free address without reading all files.
//!
//! The queue file (see [`crate::ledger::queue_format`]) is only an index. Which addresses are held
//! or free is defined by the address files. Each entry is checked against them before it is used,
//! and a lost or damaged queue is rebuilt from them. So an operation that was interrupted between
//! the address file and the queue needs no repair: its entry is either correct or skipped.

use std::fs::File;
use std::net::IpAddr;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use ipnet::IpNet;
use wire::state_file;

use crate::ledger::allocator::{self, Choice, Freed, NextAddresses};
use crate::ledger::disk::Disk;
use crate::ledger::error::Error;
use crate::ledger::queue_format::{self, Header, LINE};
use crate::ledger::request::AddressRequest;
use crate::ledger::scan::{DiskScan, report_damage};

/// A queue is rewritten without its used entries once there are this many of them and they are half
/// of the queue. So its size follows the number of free addresses, at constant amortised cost.
const MIN_COMPACT: u64 = 1024;

/// The longest queue that is used, in bytes: longer than that of a subnet with a million addresses.
const MAX_LENGTH: u64 = 128 * 1024 * 1024;

/// The open queue of one subnet.
pub(crate) struct FreeQueue<'a> {
    disk: &'a Disk,
    subnet: IpNet,
    path: PathBuf,
    file: File,
    header: Header,
    records: u64,
}

impl<'a> FreeQueue<'a> {
    /// Opens the queue of `subnet`; rebuilds it if it is missing or damaged.
    pub(crate) fn open(
        disk: &'a Disk,
        subnet: &IpNet,
        request: &AddressRequest<'_>,
    ) -> Result<Self, Error> {
        match Self::read(disk, subnet)? {
            Some(queue) => Ok(queue),
            None => Self::recover(disk, subnet, request),
        }
    }

    /// Rebuilds a lost queue, and warns of damaged files.
    fn recover(
        disk: &'a Disk,
        subnet: &IpNet,
        request: &AddressRequest<'_>,
    ) -> Result<Self, Error> {
        let scan = DiskScan::read(disk, subnet, request)?;
        scan.warn_of_damage(disk, subnet)?;
        Self::rebuild(disk, subnet, &scan)
    }

    fn read(disk: &'a Disk, subnet: &IpNet) -> Result<Option<Self>, Error> {
        let path = disk.queue(subnet);
        if !Disk::exists(&path)? {
            return Ok(None);
        }
        let file = match state_file::open(&path, File::options().read(true).write(true)) {
            Err(error) if state_file::is_irregular(&error) => return Ok(None),
            open => open.map_err(Error::io("open", &path))?,
        };
        let length = file.metadata().map_err(Error::io("stat", &path))?.len();
        let mut line = [0; LINE];
        let records = queue_format::records(length).filter(|_| length <= MAX_LENGTH);
        let Some(records) = records else {
            return Ok(None);
        };
        file.read_exact_at(&mut line, 0)
            .map_err(Error::io("read", &path))?;
        let header = Header::parse(&line).filter(|header| {
            let usable = header
                .next
                .is_none_or(|next| allocator::is_usable(subnet, next));
            usable && header.head <= records
        });
        let subnet = *subnet;
        Ok(header.map(|header| Self {
            disk,
            subnet,
            path,
            file,
            header,
            records,
        }))
    }

    /// Rebuilds the queue from a scan.
    pub(crate) fn rebuild(disk: &'a Disk, subnet: &IpNet, scan: &DiskScan) -> Result<Self, Error> {
        let header = Header {
            next: scan.unused(subnet),
            head: 0,
        };
        let lines: String = scan.freed(subnet).map(Freed::render).collect();
        let path = disk.queue(subnet);
        disk.replace(&path, &(header.render() + &lines))?;
        let why = || "another process changes it without the lock".to_owned();
        Self::read(disk, subnet)?.ok_or_else(|| Error::Damaged { path, why: why() })
    }

    /// The subnet's next addresses. Skips entries that are outdated.
    pub(crate) fn next_addresses(
        &mut self,
        request: &AddressRequest<'_>,
    ) -> Result<NextAddresses, Error> {
        let oldest = match self.longest_freed(request)? {
            Found::Freed(oldest) => oldest,
            Found::Damage => {
                *self = Self::recover(self.disk, &self.subnet, request)?;
                match self.longest_freed(request)? {
                    Found::Freed(oldest) => oldest,
                    Found::Damage => None,
                }
            }
        };
        Ok(NextAddresses {
            subnet: self.subnet,
            fresh: self.next_unused(request)?,
            oldest,
        })
    }

    fn next_unused(&mut self, request: &AddressRequest<'_>) -> Result<Option<IpAddr>, Error> {
        let skip = |next| allocator::skip(&self.subnet, next, request.exclude);
        while let Some(next) = self.header.next.and_then(skip) {
            let held = is_held(self.disk, next)?;
            if !held && self.disk.freed_at(next)?.is_none() {
                self.header.next = Some(next);
                return Ok(Some(next));
            }
            self.header.next = allocator::after(&self.subnet, next);
        }
        self.header.next = None;
        Ok(None)
    }

    fn longest_freed(&mut self, request: &AddressRequest<'_>) -> Result<Found, Error> {
        let mut line = [0; LINE];
        while self.header.head < self.records {
            let offset = queue_format::offset(self.header.head);
            self.file
                .read_exact_at(&mut line, offset)
                .map_err(Error::io("read", &self.path))?;
            let Some(freed) = Freed::parse(&line).filter(|freed| freed.at <= request.now) else {
                return Ok(Found::Damage);
            };
            let usable = allocator::is_usable(&self.subnet, freed.address)
                && !allocator::is_excluded(freed.address, request.exclude);
            // With another time, it was taken and freed again, and has a later entry.
            if usable
                && self.disk.freed_at(freed.address)? == Some(freed.at)
                && !is_held(self.disk, freed.address)?
            {
                return Ok(Found::Freed(Some(freed)));
            }
            self.header.head += 1;
        }
        Ok(Found::Freed(None))
    }

    /// Advances past `choice`, which has been claimed.
    pub(crate) fn advance_past(mut self, choice: &Choice) -> Result<(), Error> {
        match choice {
            Choice::Fresh(subnet, address) => self.header.next = allocator::after(subnet, *address),
            Choice::Reused(..) => self.header.head += 1,
            Choice::Requested(..) => {}
        }
        let Header { head, next } = self.header;
        if head < MIN_COMPACT || head * 2 < self.records {
            return self
                .disk
                .write_header(&self.path, &self.file, &self.header.render());
        }
        let mut rest = vec![0; usize::try_from(self.records - head).unwrap_or(0) * LINE];
        self.file
            .read_exact_at(&mut rest, queue_format::offset(head))
            .map_err(Error::io("read", &self.path))?;
        let header = Header { next, head: 0 }.render();
        self.disk
            .replace(&self.path, &(header + &String::from_utf8_lossy(&rest)))
    }
}

enum Found {
    /// The address that has been free for longest, if any.
    Freed(Option<Freed>),
    /// A line that Flatland did not write.
    Damage,
}

/// Whether there is a file for `address`. The queue says there is none, so a damaged file is
/// reported.
fn is_held(disk: &Disk, address: IpAddr) -> Result<bool, Error> {
    if !Disk::exists(&disk.address(address))? {
        return Ok(false);
    }
    report_damage(disk, address).map(|()| true)
}
