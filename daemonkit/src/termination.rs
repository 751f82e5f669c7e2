//! The message of a container that ended, which `kubectl describe pod` shows
//! (`terminationMessagePath`).

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

/// The default path of the message. kubelet creates the file; elsewhere there is none.
const PATH: &str = "/dev/termination-log";

/// The most that kubelet reads, in bytes.
const MAX_LENGTH: usize = 4096;

/// Writes the message, if this is a container of Kubernetes. A failure is ignored: the message is in
/// the log, too.
pub fn write(message: &str) {
    let _ = write_to(Path::new(PATH), message);
}

fn write_to(path: &Path, message: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(());
    }
    file.set_len(0)?;
    let fits = |at: &usize| message.is_char_boundary(*at);
    let length = (0..=message.len().min(MAX_LENGTH)).rev().find(fits);
    file.write_all(&message.as_bytes()[..length.unwrap_or_default()])
}

#[cfg(test)]
mod tests;
