//! Reading files whose content and kind are not certain: state that another program may have
//! damaged or replaced.
//!
//! Opening a FIFO in such a place would wait for a writer for ever, and a device or a sparse file
//! would fill the memory. So only regular files are read, up to a limit.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;

/// The largest file of one line or a few.
pub const SMALL: u64 = 64 * 1024;

/// The largest file with something for each subnet or node of a network, and the largest
/// configuration.
pub const LARGE: u64 = 16 * 1024 * 1024;

/// Reads a regular file of at most `limit` bytes. A symbolic link is refused: no program of ours
/// makes one in the place of a file.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_to_end(open(path, OpenOptions::new().read(true))?, limit)
}

/// As [`read`], but follows symbolic links, which Kubernetes and distributions make for files of
/// configuration.
pub fn read_linked(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = open_with(path, OpenOptions::new().read(true), OFlag::empty())?;
    read_to_end(file, limit)
}

/// Removes a file. It is no error if there is none.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens a regular file with these options, which should not create it.
pub fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    open_with(path, options, OFlag::O_NOFOLLOW)
}

/// Whether the error says that the file is not a regular one.
pub fn is_irregular(error: &io::Error) -> bool {
    let inner = error.get_ref();
    inner.is_some_and(|inner| inner.downcast_ref::<Irregular>().is_some())
}

#[derive(Debug, thiserror::Error)]
#[error("it is not a regular file")]
struct Irregular;

fn irregular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, Irregular)
}

fn open_with(path: &Path, options: &mut OpenOptions, more: OFlag) -> io::Result<File> {
    options.custom_flags((OFlag::O_NONBLOCK | more).bits());
    let file = match options.open(path) {
        Err(error) => {
            return Err(match error.raw_os_error().map(Errno::from_raw) {
                // open(2) returns ELOOP for a symbolic link, ENXIO for a socket and for a FIFO
                // without a reader, and EISDIR for a folder that is to be written.
                Some(Errno::ELOOP | Errno::ENXIO | Errno::EISDIR) => irregular(),
                _ => error,
            });
        }
        Ok(file) => file,
    };
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(irregular())
    }
}

fn read_to_end(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    // One byte more shows that there is more.
    if file.metadata()?.len() <= limit {
        file.take(limit + 1).read_to_end(&mut content)?;
        if content.len() as u64 <= limit {
            return Ok(content);
        }
    }
    let text = format!("it is larger than {limit} bytes");
    Err(io::Error::new(io::ErrorKind::InvalidData, text))
}

#[cfg(test)]
mod tests;
