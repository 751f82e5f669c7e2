//! The attachment (container id and interface name) that identifies a pod's interface, and name
//! checks.

use std::fmt;

use super::error::invalid_environment;
use super::{Error, code};
use crate::paths::RESERVED_NAMES;

/// The longest container id and network name, in bytes: both become part of file names, which have
/// at most 255.
const MAX_NAME: usize = 200;

/// The longest interface name, in bytes: `IFNAMSIZ` of the kernel without the final zero.
const MAX_INTERFACE: usize = 15;

/// One interface of one container: the key of all state of a pod. Both parts are valid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attachment {
    container_id: String,
    interface: String,
}

impl Attachment {
    /// Checks both names; errors have code 4. A container id has at most 200 bytes and starts with
    /// an alphanumeric character, followed by alphanumerics, `_`, `.` or `-`. An interface name is
    /// one that the kernel accepts (`dev_valid_name` in net/core/dev.c: 1 to 15 bytes, not `.` or
    /// `..`, without `/`, `:` and white space) and uses as it is, without control characters (`%` would make it a pattern,
    /// `all` and `default` are sysctl folders).
    pub fn new(container_id: &str, interface: &str) -> Result<Self, Error> {
        check_container_id(container_id).map_err(invalid_environment)?;
        check_interface(interface).map_err(invalid_environment)?;
        Ok(Self {
            container_id: container_id.to_owned(),
            interface: interface.to_owned(),
        })
    }

    /// `CNI_CONTAINERID`.
    pub fn container_id(&self) -> &str {
        &self.container_id
    }

    /// `CNI_IFNAME`: the name inside the pod, 1 to 15 bytes.
    pub fn interface(&self) -> &str {
        &self.interface
    }
}

impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.container_id, self.interface)
    }
}

/// Checks a network name (code 7). It has the alphabet and length of a container id, so that it is
/// safe in paths and keys, and is not that of a file of ours.
pub(super) fn check_network(name: &str) -> Result<(), Error> {
    let is_reserved = RESERVED_NAMES.contains(&name);
    let reserved = || Err("is the name of a file of Flatland in /run/flatland");
    check_name(name)
        .and_then(|()| if is_reserved { reserved() } else { Ok(()) })
        .map_err(|why| Error::new(code::INVALID_CONFIG, format!("network name {name:?} {why}")))
}

pub(super) fn check_container_id(id: &str) -> Result<(), String> {
    check_name(id).map_err(|why| format!("CNI_CONTAINERID {id:?} {why}"))
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.len() > MAX_NAME {
        return Err("is longer than 200 bytes");
    }
    match name.as_bytes() {
        [] => Err("is empty"),
        [first, ..] if !first.is_ascii_alphanumeric() => {
            Err("does not start with an ASCII letter or digit")
        }
        [_, rest @ ..] if !rest.iter().all(|byte| is_name_byte(*byte)) => {
            Err("holds something other than ASCII letters, digits, \"_\", \".\" and \"-\"")
        }
        _ => Ok(()),
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

pub(super) fn check_interface(name: &str) -> Result<(), String> {
    let why = match name {
        "" => "is empty",
        "." | ".." | "all" | "default" => "is a reserved name",
        _ if name.len() > MAX_INTERFACE => "is longer than 15 bytes",
        _ if name.bytes().any(is_refused_in_interface) => {
            "holds \"/\", \":\", \"%\", white space or a control character"
        }
        _ => return Ok(()),
    };
    Err(format!("CNI_IFNAME {name:?} {why}"))
}

/// The kernel's `isspace` (lib/ctype.c) checks bytes as Latin-1: 0xa0 counts even inside a UTF-8
/// character. It accepts other control characters, which would end up in logs and on terminals.
fn is_refused_in_interface(byte: u8) -> bool {
    matches!(byte, b'/' | b':' | b'%' | b' ' | 0xa0) || byte.is_ascii_control()
}

#[cfg(test)]
mod tests;
