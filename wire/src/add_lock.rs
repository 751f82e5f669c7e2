//! The lock of an ADD: at most one ADD per attachment, visible to all processes of the node.
//!
//! While it runs, an ADD holds a lock on one byte of a file that only root may open. The byte's
//! position is a hash of the host end's name. The lock belongs to the open file (`F_OFD_SETLK`,
//! fcntl(2)), so the kernel releases it when the process ends in any way, and no file is left for
//! each attachment.

use std::fs::File;
use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use siphasher::sip::SipHasher13;

use crate::file_lock;
use crate::paths::{RUN_DIR, make_folder};

/// In [`RUN_DIR`].
const LOCK_FILE: &str = ".add.lock";

/// The lock of one attachment. Dropping it releases it.
#[derive(Debug)]
#[must_use]
pub struct AddLock {
    _file: Option<File>,
}

impl AddLock {
    /// Locks the attachment with this host end; `None` while another process holds the lock. If the
    /// lock file cannot be used, the lock is always granted.
    pub fn acquire(host_end: &str) -> Option<Self> {
        acquire_in(Path::new(RUN_DIR), host_end)
    }
}

/// Whether an ADD holds the lock of the attachment with this host end.
pub fn is_held(host_end: &str) -> bool {
    is_held_in(Path::new(RUN_DIR), host_end)
}

fn acquire_in(folder: &Path, host_end: &str) -> Option<AddLock> {
    let lock = || -> io::Result<File> {
        let file = open(folder)?;
        fcntl(&file, FcntlArg::F_OFD_SETLK(&byte(host_end)))?;
        Ok(file)
    };
    match lock() {
        Err(error) if error.raw_os_error() == Some(Errno::EAGAIN as i32) => None,
        locked => Some(AddLock { _file: locked.ok() }),
    }
}

fn is_held_in(folder: &Path, host_end: &str) -> bool {
    let held = || -> io::Result<bool> {
        let mut found = byte(host_end);
        fcntl(&open(folder)?, FcntlArg::F_OFD_GETLK(&mut found))?;
        Ok(i32::from(found.l_type) != libc::F_UNLCK)
    };
    held().unwrap_or(false)
}

fn open(folder: &Path) -> io::Result<File> {
    let path = folder.join(LOCK_FILE);
    match file_lock::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_folder(folder)?;
            file_lock::open(&path)
        }
        opened => opened,
    }
}

/// The byte of a host end, with the same position in all programs of all releases.
#[allow(
    clippy::cast_possible_truncation,
    reason = "these constants are 0 and 1"
)]
fn byte(host_end: &str) -> libc::flock {
    let hasher = SipHasher13::new_with_keys(u64::from_be_bytes(*b"flatland"), 0);
    // Positions are not negative.
    let position = i64::try_from(hasher.hash(host_end.as_bytes()) >> 2);
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: position.expect("62 bits"),
        l_len: 1,
        l_pid: 0,
    }
}

#[cfg(test)]
mod tests;
