//! The lock of the ledger: `flock` on its folder, so that there is no lock file to lose.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use wire::file_lock::FileLock;

use crate::ledger::error::Error;
use crate::timeouts::LOCK_TIMEOUT;

/// Locks `folder`. Waits while another process holds the lock, at most for [`LOCK_TIMEOUT`].
pub(crate) fn folder(folder: &Path) -> Result<FileLock, Error> {
    folder_within(folder, LOCK_TIMEOUT)
}

fn folder_within(folder: &Path, timeout: Duration) -> Result<FileLock, Error> {
    let file = File::open(folder).map_err(Error::io("open", folder))?;
    let lock = FileLock::lock_within(file, timeout).map_err(Error::io("lock", folder))?;
    lock.ok_or_else(|| Error::Busy {
        path: folder.to_owned(),
        waited: timeout,
    })
}

/// Like [`folder`], but returns `None` instead of waiting.
pub(crate) fn try_folder(folder: &Path) -> Result<Option<FileLock>, Error> {
    let file = File::open(folder).map_err(Error::io("open", folder))?;
    FileLock::try_lock(file).map_err(Error::io("lock", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_held_beyond_the_timeout_is_busy_and_names_the_folder() {
        let scratch = tempfile::tempdir().unwrap();
        let held = folder(scratch.path()).unwrap();
        let error = folder_within(scratch.path(), Duration::from_millis(20)).unwrap_err();
        assert!(matches!(error, Error::Busy { .. }), "{error}");
        assert!(
            error.to_string().contains(scratch.path().to_str().unwrap()),
            "{error}"
        );
        assert!(try_folder(scratch.path()).unwrap().is_none());
        drop(held);
        assert!(try_folder(scratch.path()).unwrap().is_some());
    }
}
