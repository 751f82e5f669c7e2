//! The lock that allows one `routed` per node: two daemons would undo each other's routes for ever.
//!
//! Versions before 0.2 have a lock file that every user may lock. It is locked too, for one release,
//! unless a user other than root holds that lock.

use std::fs::{File, Permissions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use tracing::warn;
use wire::file_lock::{self, FileLock};
use wire::old_lock::{self, OldLock};
use wire::paths::make_folder;
use wire::state_file;

/// The lock file, which the running daemon has locked.
pub(crate) const PATH: &str = "/run/flatland/.routed.lock";

/// The lock file of versions before 0.2, in the same folder.
pub(crate) const OLD_NAME: &str = "routed.lock";

/// The locks, until they are dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct DaemonLock {
    _old: OldLock,
    _lock: FileLock,
}

/// Why the lock cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Another process holds it.
    #[error(
        "another routed runs on this node ({holder}, which holds {path}); stop that one \
         first"
    )]
    Held {
        /// The lock file.
        path: PathBuf,
        /// `pid N`, from the file, or `pid unknown`.
        holder: String,
    },
    /// The file cannot be opened or written.
    #[error("cannot lock {path}: {source}; run as root, with {path} on a writable file system")]
    File {
        /// The lock file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Takes the lock at `path` for as long as the returned value lives. The kernel releases it when
/// the process ends, however it ends.
pub(crate) fn acquire(path: &Path) -> Result<DaemonLock, Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| Error::File { path, source }
    };
    let held = |path: &Path| Error::Held {
        path: path.to_owned(),
        holder: holder(path),
    };
    if let Some(folder) = path.parent() {
        make_folder(folder).map_err(failed(path))?;
    }
    let file = file_lock::open(path).map_err(failed(path))?;
    let lock = FileLock::try_lock(file).map_err(failed(path))?;
    let mut lock = lock.ok_or_else(|| held(path))?;
    write_pid(lock.file()).map_err(failed(path))?;
    let old_path = path.with_file_name(OLD_NAME);
    let old = old_lock::take(|| open_old(&old_path), Duration::ZERO);
    let mut old = old.map_err(failed(&old_path))?;
    match &mut old {
        OldLock::Taken(old) => write_pid(old.file()).map_err(failed(&old_path))?,
        OldLock::Ignored(pid) => {
            let (path, pid) = (
                old_path.display(),
                pid.map_or("unknown".to_owned(), |pid| pid.to_string()),
            );
            warn!(%path, %pid, "process {pid} of another user has locked {path} to keep routed from starting; the lock is ignored");
        }
        OldLock::Busy => return Err(held(&old_path)),
    }
    Ok(DaemonLock {
        _old: old,
        _lock: lock,
    })
}

/// Opens the old lock file, and takes the right to open it from other users.
fn open_old(path: &Path) -> io::Result<File> {
    let file = file_lock::open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Whether [`acquire`] would get the lock at `path` now. Creates nothing.
pub(crate) fn check(path: &Path) -> Result<(), Error> {
    let open = |path: &Path| state_file::open(path, File::options().read(true));
    let held = |path: &Path| Error::Held {
        path: path.to_owned(),
        holder: holder(path),
    };
    if let Ok(None) = open(path).and_then(FileLock::try_lock) {
        return Err(held(path));
    }
    let old_path = path.with_file_name(OLD_NAME);
    match old_lock::take(|| open(&old_path), Duration::ZERO) {
        Ok(OldLock::Busy) => Err(held(&old_path)),
        _ => Ok(()),
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", process::id())
}

fn holder(path: &Path) -> String {
    let text = state_file::read(path, state_file::SMALL).unwrap_or_default();
    match String::from_utf8_lossy(&text).trim() {
        "" => "pid unknown".to_owned(),
        pid => format!("pid {pid}"),
    }
}

#[cfg(test)]
mod tests;
