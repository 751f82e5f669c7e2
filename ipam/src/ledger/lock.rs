//! The lock on a ledger: `flock` on its folder itself, so that there is no lock file to lose. The
//! kernel drops it when its holder dies.

use std::fs::File;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::ledger::error::Error;

/// Nobody keeps the lock for more than microseconds, except a process that was stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// Locks `folder`. Waits for whoever has the lock, but not for ever.
pub(crate) fn folder(folder: &Path) -> Result<Flock<File>, Error> {
    let file = File::open(folder).map_err(Error::io("open", folder))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((file, Errno::EWOULDBLOCK)) => wait(folder, file, PATIENCE),
        Err((_, errno)) => Err(Error::io("lock", folder)(errno.into())),
    }
}

/// As [`folder`], but `None` instead of waiting.
pub(crate) fn try_folder(folder: &Path) -> Result<Option<Flock<File>>, Error> {
    let file = File::open(folder).map_err(Error::io("open", folder))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(Error::io("lock", folder)(errno.into())),
    }
}

/// `flock` has no time limit: a thread waits in it, and is left behind if it waits too long. Should
/// it get the lock then, it finds nobody to give it to and drops it.
fn wait(folder: &Path, file: File, patience: Duration) -> Result<Flock<File>, Error> {
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
    match receiver.recv_timeout(patience) {
        Ok(Ok(lock)) => Ok(lock),
        Ok(Err((_, errno))) => Err(Error::io("lock", folder)(errno.into())),
        Err(_) => Err(Error::Busy {
            path: folder.to_owned(),
            waited: patience,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_never_given_back_ends_in_an_error_that_names_the_folder() {
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
    fn the_one_who_waits_gets_the_lock_when_the_other_is_done() {
        let scratch = tempfile::tempdir().unwrap();
        let held = folder(scratch.path()).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| folder(scratch.path()).map(drop));
            drop(held);
            waiting.join().unwrap().unwrap();
        });
    }
}
