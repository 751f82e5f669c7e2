//! Where to look for a free address of one subnet without looking at all of them.
//!
//! The queue file (see [`crate::queue`]) only hints: the truth is which address files there are.
//! Each hint is checked before it is believed, and a queue that is lost or damaged is written
//! anew from the truth. So an operation that was cut between the truth and the hint needs no
//! repair: what it left is either found true or passed over.

use std::fs::File;
use std::net::IpAddr;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::disk::Disk;
use crate::error::Error;
use crate::pool::{self, Choice, Freed, Stock};
use crate::queue::{self, Header, LINE};

/// A queue with at least this many taken addresses at its front, and half of it taken, is written
/// anew without them. So its size follows the number of free addresses, at a constant mean cost.
const COMPACT: u64 = 1024;

/// The open queue of one subnet.
pub(crate) struct Hints<'a> {
    disk: &'a Disk,
    subnet: IpNet,
    path: PathBuf,
    file: File,
    header: Header,
    records: u64,
}

impl<'a> Hints<'a> {
    /// Opens the queue of `subnet`; writes it if it is missing or damaged.
    pub(crate) fn open(disk: &'a Disk, subnet: &IpNet, now: Duration) -> Result<Self, Error> {
        match Self::read(disk, subnet)? {
            Some(hints) => Ok(hints),
            None => Self::rebuild(disk, subnet, now),
        }
    }

    fn read(disk: &'a Disk, subnet: &IpNet) -> Result<Option<Self>, Error> {
        let path = disk.queue(subnet);
        if !Disk::exists(&path)? {
            return Ok(None);
        }
        let open = File::options().read(true).write(true).open(&path);
        let file = open.map_err(Error::io("open", &path))?;
        let length = file.metadata().map_err(Error::io("look at", &path))?.len();
        let mut line = [0; LINE];
        let Some(records) = queue::records(length) else {
            return Ok(None);
        };
        file.read_exact_at(&mut line, 0)
            .map_err(Error::io("read", &path))?;
        let header = Header::parse(&line).filter(|header| {
            let usable = header.next.is_none_or(|next| pool::is_usable(subnet, next));
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

    /// Writes the queue anew from the address files and the freed ones.
    pub(crate) fn rebuild(disk: &'a Disk, subnet: &IpNet, now: Duration) -> Result<Self, Error> {
        let mut freed = Vec::new();
        for name in Disk::names(&disk.freed())? {
            match name.parse() {
                Ok(address) if pool::is_usable(subnet, address) => {
                    freed.extend(freed_since(disk, address, now)?);
                }
                Ok(_) => {}
                Err(_) => disk.warn(
                    Error::Foreign {
                        path: disk.freed().join(name),
                    }
                    .to_string(),
                ),
            }
        }
        freed.sort_by_key(|freed| (freed.at, freed.address));
        let header = Header {
            next: Some(pool::first(subnet)),
            head: 0,
        };
        write(disk, subnet, &header, &freed)?;
        let path = disk.queue(subnet);
        Self::read(disk, subnet)?.ok_or_else(|| Error::Damaged {
            path,
            why: "it changes under our hands".to_owned(),
        })
    }

    /// What the subnet has to offer. Passes over hints that are not true any more.
    pub(crate) fn stock(&mut self, now: Duration) -> Result<Stock, Error> {
        let oldest = match self.oldest(now)? {
            Found::Freed(oldest) => oldest,
            Found::Damage => {
                *self = Self::rebuild(self.disk, &self.subnet, now)?;
                match self.oldest(now)? {
                    Found::Freed(oldest) => oldest,
                    Found::Damage => None,
                }
            }
        };
        Ok(Stock {
            subnet: self.subnet,
            fresh: self.fresh()?,
            oldest,
        })
    }

    fn fresh(&mut self) -> Result<Option<IpAddr>, Error> {
        while let Some(next) = self.header.next {
            let held = is_held(self.disk, next)?;
            if !held && self.disk.freed_at(next)?.is_none() {
                return Ok(Some(next));
            }
            self.header.next = pool::after(&self.subnet, next);
        }
        Ok(None)
    }

    fn oldest(&mut self, now: Duration) -> Result<Found, Error> {
        let mut line = [0; LINE];
        while self.header.head < self.records {
            let offset = queue::offset(self.header.head);
            self.file
                .read_exact_at(&mut line, offset)
                .map_err(Error::io("read", &self.path))?;
            let Some(freed) = Freed::parse(&line).filter(|freed| freed.at <= now) else {
                return Ok(Found::Damage);
            };
            let usable = pool::is_usable(&self.subnet, freed.address);
            // Another time: it was taken and freed since, and has another record further back.
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

    /// Moves on past `choice`, which has been claimed.
    pub(crate) fn take(mut self, choice: &Choice) -> Result<(), Error> {
        match choice {
            Choice::Fresh(subnet, address) => self.header.next = pool::after(subnet, *address),
            Choice::Again(..) => self.header.head += 1,
        }
        let Header { head, next } = self.header;
        if head < COMPACT || head * 2 < self.records {
            return self
                .disk
                .write_header(&self.path, &self.file, &self.header.render());
        }
        let mut rest = vec![0; usize::try_from(self.records - head).unwrap_or(0) * LINE];
        self.file
            .read_exact_at(&mut rest, queue::offset(head))
            .map_err(Error::io("read", &self.path))?;
        let header = Header { next, head: 0 }.render();
        self.disk
            .replace(&self.path, &(header + &String::from_utf8_lossy(&rest)))
    }
}

enum Found {
    /// The address that has been free for longest, if there is any.
    Freed(Option<Freed>),
    /// A line that we did not write.
    Damage,
}

/// Whether there is a file for `address`. One that does not say who holds the address keeps it
/// from being handed out, and somebody should know.
fn is_held(disk: &Disk, address: IpAddr) -> Result<bool, Error> {
    if !Disk::exists(&disk.address(address))? {
        return Ok(false);
    }
    match disk.allocation(address) {
        Ok(_) => {}
        Err(damage @ Error::Damaged { .. }) => {
            disk.warn(format!(
                "{damage}; {address} is not handed out until the file is removed"
            ));
        }
        Err(error) => return Err(error),
    }
    Ok(true)
}

/// Since when `address`, of which there is a file among the freed ones, has been free. `None` if
/// it is held: then the file is what a claim left that was cut before it removed it.
fn freed_since(disk: &Disk, address: IpAddr, now: Duration) -> Result<Option<Freed>, Error> {
    if is_held(disk, address)? {
        return Ok(None);
    }
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

fn write(disk: &Disk, subnet: &IpNet, header: &Header, freed: &[Freed]) -> Result<(), Error> {
    let lines: String = freed.iter().map(Freed::render).collect();
    disk.replace(&disk.queue(subnet), &(header.render() + &lines))
}
