//! The single steps that change the disk.
//!
//! To other processes, each step looks like one system call, so an operation can only be
//! interrupted between two steps. Two steps make more calls: the content of an address file is
//! written before the file has a name, and a new queue is written beside the old one before it
//! replaces that.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ipnet::IpNet;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::unistd::linkat;
use wire::cni::Attachment;
use wire::paths::make_folder;
use wire::state_file;

use crate::ledger::allocation::Allocation;
use crate::ledger::allocator::Freed;
use crate::ledger::disk::{Disk, DiskStep, family, open_address};
use crate::ledger::error::{Error, is_full};
use crate::ledger::lock;

impl Disk {
    /// Makes one change. If an ADD finds the file system full, the files of freed addresses go until
    /// there is room, those that are free for longest first. Such an address is found again when no
    /// other is left.
    fn step<T>(
        &self,
        step: DiskStep,
        action: &'static str,
        path: &Path,
        mut change: impl FnMut() -> io::Result<T>,
    ) -> Result<T, Error> {
        let mut attempt = || self.call_hook(step).and_then(|()| change());
        let mut outcome = attempt();
        if step.is_for_add() && outcome.as_ref().is_err_and(is_full) {
            for spare in self.freed_files() {
                let discard = self.call_hook(DiskStep::Discard);
                if discard.and_then(|()| fs::remove_file(spare)).is_ok() {
                    outcome = attempt();
                }
                if !outcome.as_ref().is_err_and(is_full) {
                    break;
                }
            }
        }
        outcome.map_err(Error::io(action, path))
    }

    fn call_hook(&self, step: DiskStep) -> io::Result<()> {
        self.hook.as_ref().map_or(Ok(()), |hook| hook(step))
    }

    /// Creates the missing folders. Returns whether addresses may have been lost with them: then the
    /// queues are removed first, so that the next ADD restores the ledger before it hands out any.
    pub(crate) fn make_folders(&self) -> Result<bool, Error> {
        let (addresses, attachments) = (self.addresses(), self.attachments());
        let is_new = !addresses.is_dir() || !attachments.is_dir();
        if is_new {
            self.make_folder(self.root())?;
            let _lock = lock::folder(self.root())?;
            for queue in Self::names(&self.queues())? {
                self.remove(&self.queues().join(queue))?;
            }
            self.make_folder(&addresses)?;
            self.make_folder(&attachments)?;
        }
        self.make_folder(&self.freed())?;
        self.make_folder(&self.queues())?;
        Ok(is_new)
    }

    pub(crate) fn make_folder(&self, folder: &Path) -> Result<(), Error> {
        if folder.is_dir() {
            return Ok(());
        }
        self.step(DiskStep::Folder, "create the folder", folder, || {
            make_folder(folder)
        })
    }

    /// Marks the node's subnets as confirmed.
    pub(crate) fn mark_confirmed(&self) -> Result<(), Error> {
        let path = self.confirmed();
        self.step(DiskStep::Confirm, "create", &path, || {
            let mut new = OpenOptions::new();
            new.write(true).create(true).mode(0o644);
            let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
            new.custom_flags(flags.bits()).open(&path)
        })?;
        Ok(())
    }

    /// Takes `address`: its file appears with its whole content, or not at all.
    pub(crate) fn claim(&self, address: IpAddr, allocation: &Allocation) -> Result<(), Error> {
        let path = self.address(address);
        let content = || {
            let mut file = OpenOptions::new()
                .write(true)
                .mode(0o644)
                .custom_flags(OFlag::O_TMPFILE.bits())
                .open(self.addresses())?;
            file.write_all(allocation.render().as_bytes())?;
            Ok(file)
        };
        let file = self.step(DiskStep::Content, "create", &path, content)?;
        let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
        self.step(DiskStep::Claim, "create", &path, || {
            let follow = AtFlags::AT_SYMLINK_FOLLOW;
            Ok(linkat(AT_FDCWD, unnamed.as_str(), AT_FDCWD, &path, follow)?)
        })
    }

    /// Creates the link of `attachment` to `address`.
    pub(crate) fn make_link(&self, attachment: &Attachment, address: IpAddr) -> Result<(), Error> {
        let path = self.link(attachment, family(address));
        let target = Path::new("../addresses").join(address.to_string());
        self.remove(&path)?;
        self.step(DiskStep::Link, "create", &path, || symlink(&target, &path))
    }

    /// Removes `path`, if it exists.
    pub(crate) fn remove(&self, path: &Path) -> Result<(), Error> {
        if !Self::exists(path)? {
            return Ok(());
        }
        self.step(DiskStep::Remove, "remove", path, || {
            state_file::remove(path)
        })
    }

    /// Sets in the file of `address` that it is freed at `at`, before [`Disk::free`] frees it.
    pub(crate) fn stamp(&self, address: IpAddr, at: Duration) -> Result<(), Error> {
        let path = self.address(address);
        self.set_time(&path, at)
    }

    /// Sets the time at which an address was freed, in its file.
    pub(crate) fn set_time(&self, path: &Path, at: Duration) -> Result<(), Error> {
        let Some(file) = open_address(path)? else {
            return Ok(());
        };
        self.step(DiskStep::Stamp, "set the time of", path, || {
            file.set_modified(SystemTime::UNIX_EPOCH + at)
        })
    }

    /// Frees `address`: moves its file to the freed ones, atomically. Where there is no such folder,
    /// and none can be created, the file is removed: then only the cool-down is lost.
    pub(crate) fn free(&self, address: IpAddr) -> Result<(), Error> {
        let path = self.address(address);
        let freed = self.freed().join(address.to_string());
        let rename = || self.step(DiskStep::Free, "free", &path, || fs::rename(&path, &freed));
        let moved = rename().or_else(|error| {
            self.make_folder(&self.freed()).map_err(|_| error)?;
            rename()
        });
        moved.or_else(|error| {
            let why = error.to_string();
            self.remove(&path).map_err(|_| error)?;
            self.warn(format!("{address} is free without a cool-down: {why}"));
            Ok(())
        })
    }

    /// Appends to the queue of `subnet`, if it exists.
    pub(crate) fn append(&self, subnet: &IpNet, freed: &Freed) -> Result<(), Error> {
        let path = self.queue(subnet);
        let append = || match state_file::open(&path, OpenOptions::new().append(true)) {
            Ok(mut file) => file.write_all(freed.render().as_bytes()),
            // The queue will be rebuilt.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) if state_file::is_irregular(&error) => Ok(()),
            Err(error) => Err(error),
        };
        self.step(DiskStep::Append, "append to", &path, append)
    }

    /// Writes the first line of an open queue.
    pub(crate) fn write_header(&self, path: &Path, file: &File, line: &str) -> Result<(), Error> {
        self.step(DiskStep::Header, "write", path, || {
            file.write_all_at(line.as_bytes(), 0)
        })
    }

    /// Replaces the queue at `path` by one with `content`.
    pub(crate) fn replace(&self, path: &Path, content: &str) -> Result<(), Error> {
        let mut new = path.to_owned().into_os_string();
        new.push(".new");
        let new = PathBuf::from(new);
        let write = || {
            // Whatever an interrupted call or another program has left there goes.
            state_file::remove(&new)?;
            let mut file = OpenOptions::new();
            file.write(true).create_new(true).mode(0o644);
            file.open(&new)?.write_all(content.as_bytes())
        };
        let written = self
            .step(DiskStep::Queue, "write", &new, write)
            .and_then(|()| {
                self.step(DiskStep::Replace, "replace", path, || {
                    fs::rename(&new, path)
                })
            });
        if written.is_err() {
            // Half of a queue would only take room.
            let _ = fs::remove_file(&new);
        }
        written
    }
}
