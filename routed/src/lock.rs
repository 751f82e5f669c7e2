//! The lock that allows one `routed` per node: two daemons would undo each other's routes for ever.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::process;

use wire::file_lock::{self, FileLock};

/// The lock file, which the running daemon has locked.
pub(crate) const PATH: &str = "/run/flatland/routed.lock";

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
pub(crate) fn acquire(path: &Path) -> Result<FileLock, Error> {
    let failed = |source: io::Error| Error::File {
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let file = file_lock::open(path, 0o644).map_err(failed)?;
    let mut lock = FileLock::try_lock(file)
        .map_err(failed)?
        .ok_or_else(|| Error::Held {
            path: path.to_owned(),
            holder: holder(path),
        })?;
    write_pid(lock.file()).map_err(failed)?;
    Ok(lock)
}

/// Whether [`acquire`] would get the lock at `path` now. Creates nothing.
pub(crate) fn check(path: &Path) -> Result<(), Error> {
    let Ok(file) = File::open(path) else {
        return Ok(());
    };
    match FileLock::try_lock(file) {
        Ok(None) => Err(Error::Held {
            path: path.to_owned(),
            holder: holder(path),
        }),
        _ => Ok(()),
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", process::id())
}

fn holder(path: &Path) -> String {
    match fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => format!("pid {}", text.trim()),
        _ => "pid unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_lock_fails_and_names_the_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flatland/routed.lock");
        let _first = acquire(&path).unwrap();
        assert!(check(&path).is_err());
        let refused = acquire(&path).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("pid {}", process::id())),
            "{refused}"
        );
        assert!(refused.contains("routed.lock"), "{refused}");
    }

    #[test]
    fn lock_is_free_after_its_holder_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("routed.lock");
        assert!(check(&path).is_ok() && !path.exists());
        drop(acquire(&path).unwrap());
        assert!(check(&path).is_ok());
        assert!(acquire(&path).is_ok());
    }
}
