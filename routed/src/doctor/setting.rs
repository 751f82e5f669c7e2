//! A kernel setting, and its value for a finding.

use wire::sysctl;

/// A kernel setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Its path below `/proc/sys`, such as `net/ipv4/ip_forward`.
    pub(crate) name: String,
    /// Its value, or why it could not be read.
    pub(crate) value: Result<String, String>,
}

impl Setting {
    pub(crate) fn read(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: sysctl::read(name).map_err(|error| error.to_string()),
        }
    }

    /// The name with dots, as sysctl(8) takes it.
    pub(crate) fn dotted(&self) -> String {
        sysctl::dotted(&self.name)
    }

    /// `net.ipv4.ip_forward = 0`, or why it could not be read.
    pub(super) fn render(&self) -> String {
        match &self.value {
            Ok(value) => format!("{} = {value}", self.dotted()),
            Err(error) => error.clone(),
        }
    }
}
