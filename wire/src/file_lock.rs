//! Locks between processes: `flock` (flock(2)) on a lock file.
//!
//! A user who can open a file can lock it, with any access. So only its owner may open a lock file
//! ([`open`]).
//!
//! A lock ends when its value is dropped, and the kernel releases it when the process dies. It also
//! excludes other parts of the same process that open the file again.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

use crate::state_file;

/// An exclusive `flock`.
#[derive(Debug)]
#[must_use]
pub struct FileLock(Flock<File>);

impl FileLock {
    /// Waits for the lock without a time limit.
    pub fn lock(file: File) -> io::Result<Self> {
        let mut result = Flock::lock(file, FlockArg::LockExclusive);
        while let Err((file, Errno::EINTR)) = result {
            result = Flock::lock(file, FlockArg::LockExclusive);
        }
        result.map(Self).map_err(|(_, errno)| errno.into())
    }

    /// Takes the lock if it is free; `None` if it is held elsewhere.
    pub fn try_lock(file: File) -> io::Result<Option<Self>> {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(Self(lock))),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno.into()),
        }
    }

    /// Waits for the lock, at most for `timeout`; `None` if it is still held elsewhere then.
    ///
    /// `flock` has no time limit, so a thread waits in it. After a time-out the thread stays behind
    /// until it gets the lock, and releases it at once.
    pub fn lock_within(file: File, timeout: Duration) -> io::Result<Option<Self>> {
        let file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(Some(Self(lock))),
            Err((file, Errno::EWOULDBLOCK)) => file,
            Err((_, errno)) => return Err(errno.into()),
        };
        let (sender, receiver) = mpsc::channel();
        thread::Builder::new()
            .name("lock".to_owned())
            .spawn(move || drop(sender.send(Self::lock(file))))?;
        receiver.recv_timeout(timeout).ok().transpose()
    }

    /// The locked file.
    pub fn file(&mut self) -> &mut File {
        &mut self.0
    }
}

/// Opens a lock file that only its owner may open, and creates it if it is missing. Its content
/// stays.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)
}

/// Whether a process holds the lock of the file at `path`. No process holds that of a missing file,
/// and none is created.
///
/// It takes the lock for a moment, shared: several may look at the same time, but a process that
/// wants to hold the lock should wait for it ([`FileLock::lock_within`]) and not only try.
pub fn is_held(path: &Path) -> io::Result<bool> {
    let file = match state_file::open(path, File::options().read(true)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_lock) => Ok(false),
        Err((_, Errno::EWOULDBLOCK)) => Ok(true),
        Err((_, errno)) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests;
