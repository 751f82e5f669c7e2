//! The lock of the ledger: `flock` on a file in its folder, which only root may open.
//!
//! Versions before 0.2 lock the folder itself, which every user can. So the folder is locked too,
//! for one release, unless a user other than root holds that lock.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wire::file_lock::{self, FileLock};
use wire::old_lock::{self, OldLock};

use crate::ledger::error::{Error, is_full};
use crate::timeouts::LOCK_TIMEOUT;

/// The lock file. No address, and no folder of the ledger, has this name.
const LOCK_FILE: &str = ".lock";

/// The lock, until it is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct LedgerLock {
    _old: OldLock,
    _lock: LockFile,
}

/// What became of the lock file.
#[derive(Debug)]
enum LockFile {
    Taken(#[expect(dead_code, reason = "holds the lock")] FileLock),
    /// There is none, and it cannot be made: the disk is read-only, or has no inode left. Then only
    /// the lock of the folder counts, as DEL must be possible.
    Missing,
    Busy,
}

/// Locks `folder`. Waits while another process holds the lock, at most for [`LOCK_TIMEOUT`].
pub(crate) fn folder(folder: &Path) -> Result<LedgerLock, Error> {
    folder_within(folder, LOCK_TIMEOUT)
}

fn folder_within(folder: &Path, timeout: Duration) -> Result<LedgerLock, Error> {
    lock(folder, timeout)?.map_err(|path| Error::Busy {
        path,
        waited: timeout,
    })
}

/// Like [`folder`], but returns `None` instead of waiting.
pub(crate) fn try_folder(folder: &Path) -> Result<Option<LedgerLock>, Error> {
    Ok(lock(folder, Duration::ZERO)?.ok())
}

/// Takes both locks; the error inside is the path of the one that is held for longer than `timeout`.
fn lock(folder: &Path, timeout: Duration) -> Result<Result<LedgerLock, PathBuf>, Error> {
    let path = folder.join(LOCK_FILE);
    let lock = lock_file(&path, timeout).map_err(Error::io("lock", &path))?;
    if matches!(lock, LockFile::Busy) {
        return Ok(Err(path));
    }
    let old = old_lock::take(|| File::open(folder), timeout);
    match old.map_err(Error::io("lock", folder))? {
        OldLock::Busy => Ok(Err(folder.to_owned())),
        old => Ok(Ok(LedgerLock {
            _old: old,
            _lock: lock,
        })),
    }
}

fn lock_file(path: &Path, timeout: Duration) -> io::Result<LockFile> {
    loop {
        let Some(file) = open(path)? else {
            return Ok(LockFile::Missing);
        };
        let lock = if timeout.is_zero() {
            FileLock::try_lock(file)?
        } else {
            FileLock::lock_within(file, timeout)?
        };
        let Some(mut lock) = lock else {
            return Ok(LockFile::Busy);
        };
        // While this process waited, the file may have been deleted. Then others lock a new one.
        if lock.file().metadata()?.nlink() > 0 {
            return Ok(LockFile::Taken(lock));
        }
    }
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match file_lock::open(path) {
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        },
        Err(error) if is_full(&error) => Ok(None),
        opened => opened.map(Some),
    }
}

#[cfg(test)]
mod tests;
