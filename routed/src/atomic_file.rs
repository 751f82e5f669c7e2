//! Files that are either the old one or the new one, whole, whenever somebody looks.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Everyone may read, the owner may write.
const MODE: u32 = 0o644;

/// As [`replace_with`], for everyone to read.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<bool> {
    replace_with(path, content, MODE)
}

/// Whether `path` came to hold `content`, with these permissions: `false` if it did already.
///
/// The content is written to a hidden file beside it, synced and renamed. Container runtimes read
/// only names that end in `.conf`, `.conflist` or `.json`, so the hidden one ends in `.tmp`. One
/// left behind by a crash is overwritten.
pub(crate) fn replace_with(path: &Path, content: &[u8], mode: u32) -> io::Result<bool> {
    if is_already(path, content, mode) {
        return Ok(false);
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    fs::create_dir_all(folder)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".tmp");
    let temporary = folder.join(hidden);
    let written = write(&temporary, content, mode).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        // The error that matters is the first one.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    File::open(folder)?.sync_all()?;
    Ok(true)
}

fn is_already(path: &Path, content: &[u8], mode: u32) -> bool {
    let is_plain = fs::symlink_metadata(path)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o777 == mode);
    is_plain && fs::read(path).is_ok_and(|there| there == content)
}

fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    // The mode given at creation is subject to the umask.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_file_is_written_whole_with_its_mode_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.d/10-flatland.conflist");
        assert!(replace(&path, b"one").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
        assert_eq!(names(path.parent().unwrap()), ["10-flatland.conflist"]);
    }

    #[test]
    fn the_same_content_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.conflist");
        assert!(replace(&path, b"one").unwrap());
        let before = fs::metadata(&path).unwrap();
        assert!(!replace(&path, b"one").unwrap());
        assert_eq!(fs::metadata(&path).unwrap().ino(), before.ino());
    }

    #[test]
    fn a_reader_of_the_old_file_never_sees_half_of_the_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.conflist");
        replace(&path, b"old").unwrap();
        let mut reader = File::open(&path).unwrap();
        assert!(replace(&path, b"a longer new one").unwrap());
        let mut seen = String::new();
        io::Read::read_to_string(&mut reader, &mut seen).unwrap();
        assert_eq!(seen, "old");
    }

    #[test]
    fn what_a_crash_left_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.conflist");
        fs::write(folder.path().join(".a.conflist.tmp"), b"half of someth").unwrap();
        assert!(replace(&path, b"whole").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(names(folder.path()), ["a.conflist"]);
    }

    #[test]
    fn a_link_is_replaced_and_what_it_leads_to_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (
            folder.path().join("a.conflist"),
            folder.path().join("target"),
        );
        fs::write(&target, b"same").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(replace(&path, b"same").unwrap());
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(fs::read(&target).unwrap(), b"same");
    }
}
