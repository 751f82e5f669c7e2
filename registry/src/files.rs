//! Files that are whole or absent, whatever happens while they are written, and locks on them.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::atomic_file;
use wire::file_lock::{self, FileLock};

use crate::error::Error;

/// Reads a JSON file; `None` when there is none.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(Error::io("read", path))?,
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|why| Error::CorruptFile {
            path: path.to_owned(),
            why: why.to_string(),
        })
}

/// Writes a JSON file whole, so that it is there after a power cut too once this returns. Only one
/// writer at a time, which the caller's lock sees to.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|why| Error::io("write", path)(io::Error::other(why)))?;
    bytes.push(b'\n');
    atomic_file::write(path, &bytes).map_err(Error::io("write", path))
}

/// Makes the folder and those above it.
pub(crate) fn make_folder(folder: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(folder)
        .map_err(Error::io("create", folder))
}

/// Waits until no other process, nor other part of this one, holds the lock. It is let go when the
/// value is dropped, and by the kernel when the process dies.
pub(crate) fn lock(path: &Path) -> Result<FileLock, Error> {
    FileLock::lock(lock_file(path)?).map_err(Error::io("lock", path))
}

/// As [`lock`], but `None` instead of waiting.
pub(crate) fn try_lock(path: &Path) -> Result<Option<FileLock>, Error> {
    FileLock::try_lock(lock_file(path)?).map_err(Error::io("lock", path))
}

fn lock_file(path: &Path) -> Result<File, Error> {
    file_lock::open(path, 0o600).map_err(Error::io("open", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_reads_back_and_replaces_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.json");
        assert_eq!(read::<Vec<u8>>(&path).unwrap(), None);
        for value in [vec![1], vec![2, 3], vec![]] {
            write(&path, &value).unwrap();
            assert_eq!(read::<Vec<u8>>(&path).unwrap(), Some(value));
        }
    }

    #[test]
    fn a_write_that_was_cut_short_is_not_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.json");
        write(&path, &[1]).unwrap();
        fs::write(folder.path().join(".file.json.tmp"), "[2, ").unwrap();
        assert_eq!(read::<Vec<u8>>(&path).unwrap(), Some(vec![1]));
        write(&path, &[3]).unwrap();
        assert_eq!(read::<Vec<u8>>(&path).unwrap(), Some(vec![3]));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.json");
        fs::write(&path, "{").unwrap();
        let error = read::<Vec<u8>>(&path).unwrap_err();
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
        let error = read::<Vec<u8>>(folder.path()).unwrap_err();
        assert!(
            error.to_string().contains(folder.path().to_str().unwrap()),
            "{error}"
        );
    }
}
