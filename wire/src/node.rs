//! The identity of a node: its name and its machine id.

use std::env;
use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cni::{Error, code};
use crate::state_file;

/// The name of a node: an RFC 1123 subdomain, as Kubernetes requires of its nodes. Clones share the
/// text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// The longest name, in bytes.
    pub const MAX: usize = 253;

    /// Checks that the name has 1 to 253 bytes, in parts separated by `.` that consist of
    /// lower-case letters, digits and `-` and start and end with a letter or digit; else code 7.
    pub fn new(name: &str) -> Result<Self, Error> {
        if name.len() <= Self::MAX && name.split('.').all(is_label) {
            return Ok(Self(name.into()));
        }
        let msg = format!("node name {name:?} is not a lower-case RFC 1123 subdomain");
        Err(Error::new(code::INVALID_CONFIG, msg)
            .advise("use letters a-z, digits, \"-\" and \".\", 253 at most, as Kubernetes does"))
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_label(label: &str) -> bool {
    let is_inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    let has_dash_outside = label.starts_with('-') || label.ends_with('-');
    !label.is_empty() && !has_dash_outside && label.as_bytes().iter().all(is_inner)
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for NodeName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::new(name)
    }
}

impl TryFrom<String> for NodeName {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        Self::new(&name)
    }
}

impl From<NodeName> for String {
    fn from(name: NodeName) -> Self {
        name.as_str().to_owned()
    }
}

/// This node's name: `explicit` (from a flag or the conflist), else the environment variable
/// `NODE_NAME`, else the host name in lower case.
pub fn node_name(explicit: Option<&str>) -> Result<NodeName, Error> {
    if let Some(name) = explicit {
        return NodeName::new(name);
    }
    if let Some(name) = env::var_os("NODE_NAME").filter(|name| !name.is_empty()) {
        return NodeName::new(&name.to_string_lossy()).map_err(|error| error.within("NODE_NAME"));
    }
    let host = nix::unistd::gethostname()
        .map_err(|error| Error::new(code::IO, format!("cannot get the host name: {error}")))?;
    from_host(&host.to_string_lossy())
}

/// Code 5 if the host name is no node's: another one may be set later during the boot.
fn from_host(host: &str) -> Result<NodeName, Error> {
    NodeName::new(&host.to_lowercase()).map_err(|error| {
        let error = error.within("host name");
        Error::new(code::IO, error.msg).advise("set NODE_NAME, or give the node's name explicitly")
    })
}

/// The id of a machine: the content of `/etc/machine-id`, 32 hexadecimal digits (machine-id(5)).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MachineId(String);

impl MachineId {
    /// Reads `/etc/machine-id`. Code 5 if it cannot be read, 7 if it holds no id yet.
    pub fn read() -> Result<Self, Error> {
        Self::read_from(Path::new("/etc/machine-id"))
    }

    /// As [`MachineId::read`], from another file of that format.
    pub fn read_from(path: &Path) -> Result<Self, Error> {
        let advice = "run systemd-machine-id-setup, or dbus-uuidgen --ensure=/etc/machine-id";
        let read = state_file::read_linked(path, state_file::SMALL);
        let text = read.and_then(|text| String::from_utf8(text).map_err(io::Error::other));
        let text = text.map_err(|error| {
            let msg = format!(
                "cannot read the machine id from {}: {error}",
                path.display()
            );
            Error::new(code::IO, msg).advise(advice)
        })?;
        let id = text.trim().to_ascii_lowercase();
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_id && id.bytes().any(|byte| byte != b'0') {
            return Ok(Self(id));
        }
        let msg = format!(
            "{} holds no machine id but {:?}",
            path.display(),
            text.trim()
        );
        Err(Error::new(code::INVALID_CONFIG, msg).advise(advice))
    }

    /// The 32 digits, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
