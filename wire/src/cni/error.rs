//! CNI errors, which a plugin prints on standard output (SPEC.md, section 5, "Error"), and their
//! codes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::CniVersion;

/// Error codes: 1 to 99 are defined by the spec, from 100 on by Flatland.
pub mod code {
    /// The plugin does not support the requested CNI version.
    pub const INCOMPATIBLE_VERSION: u32 = 1;
    /// The configuration has a field or value that the plugin does not know.
    pub const UNSUPPORTED_FIELD: u32 = 2;
    /// The container is unknown or does not exist any more.
    pub const UNKNOWN_CONTAINER: u32 = 3;
    /// A necessary environment variable is missing or invalid.
    pub const INVALID_ENVIRONMENT: u32 = 4;
    /// Reading or writing failed (files, kernel, standard input).
    pub const IO: u32 = 5;
    /// Content could not be decoded: not JSON, or not of the expected shape.
    pub const DECODING: u32 = 6;
    /// The network configuration is invalid.
    pub const INVALID_CONFIG: u32 = 7;
    /// A transient condition: the runtime should try again later.
    pub const TRY_AGAIN: u32 = 11;
    /// STATUS: the plugin cannot service ADD requests.
    pub const UNAVAILABLE: u32 = 50;
    /// STATUS: as 50, and attached containers may have limited connectivity.
    pub const LIMITED_CONNECTIVITY: u32 = 51;

    /// Ours: the attachment already holds an address or an interface.
    pub const ALREADY_ATTACHED: u32 = 100;
    /// Ours: no address is free in this node's subnets, and no further subnet can be claimed.
    pub const NO_FREE_ADDRESS: u32 = 101;
    /// Ours: the conflist contradicts the network parameters in the registry.
    pub const NETWORK_MISMATCH: u32 = 102;
    /// Ours: another machine holds this node's name.
    pub const NODE_NAME_TAKEN: u32 = 103;
    /// Ours: CHECK found that the attachment is not as ADD left it.
    pub const CHECK_FAILED: u32 = 104;
    /// Ours: the requested address is not available.
    pub const ADDRESS_UNAVAILABLE: u32 = 105;
}

/// A CNI error: `code` for the runtime; `msg` says what failed and names the culprit, `details`
/// says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{msg}{}{details}", if .details.is_empty() { "" } else { ": " })]
pub struct Error {
    /// One of [`code`].
    pub code: u32,
    /// What failed, naming the node, subnet, address, interface or path.
    #[serde(default)]
    pub msg: String,
    /// What to do about it; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub details: String,
}

impl Error {
    /// An error without advice; see [`Error::advise`].
    pub fn new(code: u32, msg: impl Into<String>) -> Self {
        Self {
            code,
            msg: msg.into(),
            details: String::new(),
        }
    }

    /// The same error with `details`.
    #[must_use]
    pub fn advise(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }

    /// The same error with `context: ` before its message: the file or program it is about.
    #[must_use]
    pub fn within(mut self, context: impl std::fmt::Display) -> Self {
        self.msg = format!("{context}: {}", self.msg);
        self
    }

    /// The JSON that goes to standard output.
    pub fn render(&self, version: CniVersion) -> Value {
        let mut json = Map::new();
        json.insert("cniVersion".into(), version.as_str().into());
        json.insert("code".into(), self.code.into());
        json.insert("msg".into(), self.msg.as_str().into());
        if !self.details.is_empty() {
            json.insert("details".into(), self.details.as_str().into());
        }
        json.into()
    }
}

/// An error of code 4: `msg` names the variable and what is wrong with it.
pub(super) fn invalid_environment(msg: impl Into<String>) -> Error {
    Error::new(code::INVALID_ENVIRONMENT, msg)
}

#[cfg(test)]
mod tests;
