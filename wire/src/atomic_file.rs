//! Atomic file replacement: write a hidden file, sync it, rename it. A reader sees the old file or
//! the new one, never a part.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::{paths, state_file};

/// All users may read, the owner may write.
const MODE: u32 = 0o644;

/// As [`replace_with`], with mode 0644.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<bool> {
    replace_with(path, content, MODE)
}

/// Gives the file at `path` this content and these permissions, and creates the folders above it.
/// Returns `false` if the file was so already; then it is left alone.
pub fn replace_with(path: &Path, content: &[u8], mode: u32) -> io::Result<bool> {
    if is_up_to_date(path, content, mode) {
        return Ok(false);
    }
    paths::make_folder(folder_of(path))?;
    write_with(path, content, mode)?;
    Ok(true)
}

/// Makes `path` another name of the file `target`, which is in the same file system, and replaces what is
/// there. Returns `false` if it was so already.
pub fn replace_with_link(path: &Path, target: &Path) -> io::Result<bool> {
    let inode = |path: &Path| fs::symlink_metadata(path).map(|it| (it.dev(), it.ino()));
    if inode(path).ok() == Some(inode(target)?) {
        return Ok(false);
    }
    let temporary = temporary(path).ok_or(io::ErrorKind::InvalidFilename)?;
    state_file::remove(&temporary)?;
    fs::hard_link(target, &temporary)?;
    if let Err(error) = fs::rename(&temporary, path) {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    File::open(folder_of(path))?.sync_all()?;
    Ok(true)
}

/// Writes the file at `path` with mode 0644, even if it has this content already. It is there after
/// a power cut too once this returns.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    write_with(path, content, MODE)
}

/// Writes a hidden file in the same folder, syncs it, and renames it.
///
/// Container runtimes read only names that end in `.conf`, `.conflist` or `.json`, so the hidden
/// file ends in `.tmp`. One that a crash left behind is overwritten. Only one writer at a time.
fn write_with(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let folder = folder_of(path);
    let temporary = temporary(path).ok_or(io::ErrorKind::InvalidFilename)?;
    let written = create(&temporary, content, mode).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    File::open(folder)?.sync_all()
}

/// The hidden file beside `path`, which is there after a crash; `None` if `path` names no file.
pub fn temporary(path: &Path) -> Option<PathBuf> {
    let mut hidden = OsString::from(".");
    hidden.push(path.file_name()?);
    hidden.push(".tmp");
    Some(folder_of(path).join(hidden))
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// A symbolic link is never up to date: it is replaced by a file.
fn is_up_to_date(path: &Path, content: &[u8], mode: u32) -> bool {
    let is_plain = fs::symlink_metadata(path)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o777 == mode);
    is_plain && state_file::read(path, content.len() as u64).is_ok_and(|present| present == content)
}

fn create(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    state_file::remove(path)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    // The umask has cut the mode given at creation.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
