//! JSON files that are replaced atomically and durably, and flock on lock files.

use std::fs::File;
use std::io;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::atomic_file;
use wire::file_lock::{self, FileLock};
use wire::{paths, state_file};

use crate::error::Error;

/// Reads a JSON file; `None` when there is none.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let bytes = match state_file::read(path, state_file::LARGE) {
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

/// Replaces a JSON file atomically. It survives a power cut once this returns. The caller holds a
/// lock, so that there is one writer at a time.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|why| Error::io("write", path)(io::Error::other(why)))?;
    bytes.push(b'\n');
    atomic_file::write(path, &bytes).map_err(Error::io("write", path))
}

/// Creates the folder and its missing parents.
pub(crate) fn make_folder(folder: &Path) -> Result<(), Error> {
    paths::make_folder(folder).map_err(Error::io("create", folder))
}

/// Waits for the exclusive lock on `path`. It excludes other processes and other threads of this
/// one. It ends when the value is dropped, and the kernel releases it when the process dies.
pub(crate) fn lock(path: &Path) -> Result<FileLock, Error> {
    FileLock::lock(lock_file(path)?).map_err(Error::io("lock", path))
}

/// Like [`lock`], but returns `None` instead of waiting.
pub(crate) fn try_lock(path: &Path) -> Result<Option<FileLock>, Error> {
    FileLock::try_lock(lock_file(path)?).map_err(Error::io("lock", path))
}

fn lock_file(path: &Path) -> Result<File, Error> {
    file_lock::open(path).map_err(Error::io("open", path))
}

#[cfg(test)]
mod tests;
