//! Locks on files and folders that every user may open, as versions before 0.2 have them. For one
//! release, programs take them too, after the lock that replaced them, so that an upgrade is safe
//! while both versions run.
//!
//! Another user may hold such a lock for ever, to stop the network. So it counts only if a process
//! of root holds it. `/proc/locks` (proc(5)) and `/proc/PID` say which process that is.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::stat::{major, minor};

use crate::file_lock::FileLock;
use crate::timeouts::{HIDDEN_LOCK_HOLDER_TIMEOUT, LOCK_HOLDER_CHECK_INTERVAL};

/// `AT_SECURE` of getauxval(3): whether a program has more rights than the user who started it.
const AT_SECURE: u64 = 23;

/// What became of the lock.
#[derive(Debug)]
#[must_use]
pub enum OldLock {
    /// It is taken.
    Taken(FileLock),
    /// A process holds it that is not root's; its id, if it is known.
    Ignored(Option<i32>),
    /// A process of root still holds it.
    Busy,
}

/// Who holds a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    /// No process that is visible here.
    Hidden,
    Root,
    /// A process of another user, or one that is gone and has left the lock to its children.
    Other(i32),
}

/// Takes the lock that `open` opens. Waits for a process of root that holds it, at most for
/// `timeout`.
pub fn take(open: impl Fn() -> io::Result<File>, timeout: Duration) -> io::Result<OldLock> {
    let file = open()?;
    let metadata = file.metadata()?;
    let began = Instant::now();
    let mut lock = FileLock::try_lock(file)?;
    loop {
        if let Some(lock) = lock {
            return Ok(OldLock::Taken(lock));
        }
        let left = timeout.saturating_sub(began.elapsed());
        let wait = match holder(&fs::read_to_string("/proc/locks")?, &metadata, is_root) {
            Holder::Other(pid) => return Ok(OldLock::Ignored(Some(pid))),
            Holder::Root if left.is_zero() => return Ok(OldLock::Busy),
            Holder::Root => left.min(LOCK_HOLDER_CHECK_INTERVAL),
            Holder::Hidden if began.elapsed() >= HIDDEN_LOCK_HOLDER_TIMEOUT => {
                return Ok(OldLock::Ignored(None));
            }
            Holder::Hidden => HIDDEN_LOCK_HOLDER_TIMEOUT,
        };
        lock = FileLock::lock_within(open()?, wait)?;
    }
}

/// The process that holds the lock at `path` and is not root's; `None` if there is none, or if it
/// cannot be found out.
pub fn foreign_holder(path: &Path) -> Option<i32> {
    let metadata = fs::symlink_metadata(path).ok()?;
    match holder(&fs::read_to_string("/proc/locks").ok()?, &metadata, is_root) {
        Holder::Other(pid) => Some(pid),
        Holder::Hidden | Holder::Root => None,
    }
}

/// Finds the holder of the `flock` on a file in the text of /proc/locks. Lines of waiting processes
/// have an arrow after their number.
fn holder(locks: &str, file: &fs::Metadata, is_root: impl Fn(i32) -> bool) -> Holder {
    let (device, inode) = (file.dev(), file.ino());
    let id = format!("{:02x}:{:02x}:{inode}", major(device), minor(device));
    let held = locks.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (kind, _, _) = (words.next()?, words.next()?, words.next()?);
        let (pid, file) = (words.next()?, words.next()?);
        (kind == "FLOCK" && file == id).then(|| pid.parse::<i32>().ok())?
    });
    held.fold(Holder::Hidden, |found, pid| match found {
        Holder::Root => found,
        _ if is_root(pid) => Holder::Root,
        _ => Holder::Other(pid),
    })
}

/// Whether a process is root's. One that another user has started is not, even if it is privileged
/// (sudo, su): it may have inherited the lock.
fn is_root(pid: i32) -> bool {
    let folder = Path::new("/proc").join(pid.to_string());
    let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
    let auxv = fs::read(folder.join("auxv")).unwrap_or_default();
    has_user_root(&status) && !is_secure(&auxv)
}

/// The real, the effective, the saved and the file system's user in /proc/PID/status.
fn has_user_root(status: &str) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    line.is_some_and(|ids| ids.split_ascii_whitespace().all(|id| id == "0"))
}

fn is_secure(auxv: &[u8]) -> bool {
    let (words, _) = auxv.as_chunks::<8>();
    let words: Vec<u64> = words.iter().map(|word| u64::from_ne_bytes(*word)).collect();
    let mut entries = words.chunks_exact(2);
    entries.any(|entry| entry[0] == AT_SECURE && entry[1] != 0)
}

#[cfg(test)]
mod tests;
