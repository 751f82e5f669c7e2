//! The lock of the ledger: `flock` on its folder, so that there is no lock file to lose. The kernel
//! releases it when the process dies.

use std::fs::File;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::ledger::error::Error;

/// Time-out of waiting for the lock. It is held only for microseconds, unless its holder is
/// stopped.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Locks `folder`. Waits for the present holder, up to [`LOCK_TIMEOUT`].
pub(crate) fn folder(folder: &Path) -> Result<Flock<File>, Error> {
    let file = File::open(folder).map_err(Error::io("open", folder))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((file, Errno::EWOULDBLOCK)) => wait(folder, file, LOCK_TIMEOUT),
        Err((_, errno)) => Err(Error::io("lock", folder)(errno.into())),
    }
}

/// Like [`folder`], but returns `None` instead of waiting.
pub(crate) fn try_folder(folder: &Path) -> Result<Option<Flock<File>>, Error> {
    let file = File::open(folder).map_err(Error::io("open", folder))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(Error::io("lock", folder)(errno.into())),
    }
}

/// `flock` has no time-out, so a thread waits in it, and is left behind after the time-out. If that
/// thread gets the lock later, it releases it at once, because the receiver is gone.
fn wait(folder: &Path, file: File, limit: Duration) -> Result<Flock<File>, Error> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new()
        .name("lock".to_owned())
        .spawn(move || {
            let mut result = Flock::lock(file, FlockArg::LockExclusive);
            while let Err((file, Errno::EINTR)) = result {
                result = Flock::lock(file, FlockArg::LockExclusive);
            }
            drop(sender.send(result));
        })
        .map_err(Error::io("wait for the lock of", folder))?;
    match receiver.recv_timeout(limit) {
        Ok(Ok(lock)) => Ok(lock),
        Ok(Err((_, errno))) => Err(Error::io("lock", folder)(errno.into())),
        Err(_) => Err(Error::Busy {
            path: folder.to_owned(),
            waited: limit,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_that_is_never_released_is_an_error_with_the_folder() {
        let scratch = tempfile::tempdir().unwrap();
        let held = folder(scratch.path()).unwrap();
        let file = File::open(scratch.path()).unwrap();
        let error = wait(scratch.path(), file, Duration::from_millis(20)).unwrap_err();
        assert!(matches!(error, Error::Busy { .. }), "{error}");
        assert!(
            error.to_string().contains(scratch.path().to_str().unwrap()),
            "{error}"
        );
        assert!(try_folder(scratch.path()).unwrap().is_none());
        drop(held);
        assert!(try_folder(scratch.path()).unwrap().is_some());
    }

    #[test]
    fn waiting_process_gets_the_lock_after_its_release() {
        let scratch = tempfile::tempdir().unwrap();
        let held = folder(scratch.path()).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| folder(scratch.path()).map(drop));
            drop(held);
            waiting.join().unwrap().unwrap();
        });
    }
}
