//! A kernel setting, and its value for a finding.

use wire::sysctl;

/// A kernel setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// Its path below `/proc/sys`, such as `net/ipv4/ip_forward`.
    pub(super) name: String,
    /// Its value, or why it could not be read.
    pub(super) value: Result<String, String>,
}

impl Setting {
    pub(super) fn read(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            value: sysctl::read(name).map_err(|error| error.to_string()),
        }
    }

    /// The name with dots, as sysctl(8) takes it.
    pub(super) fn dotted(&self) -> String {
        self.name.replace('/', ".")
    }

    /// `net.ipv4.ip_forward = 0`, or why it could not be read.
    pub(super) fn render(&self) -> String {
        match &self.value {
            Ok(value) => format!("{} = {value}", self.dotted()),
            Err(error) => error.clone(),
        }
    }
}
