//! The environment variables of a CNI call (SPEC.md, section 2, "CNI Parameters").

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::attachment::{check_container_id, check_interface};
use super::error::invalid_environment;
use super::{Args, Attachment, Error};

/// The command of a call (`CNI_COMMAND`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CniCommand {
    /// Attaches a container to the network.
    Add,
    /// Detaches a container, which may be gone.
    Del,
    /// Checks that the attachment is as ADD left it.
    Check,
    /// Removes every attachment that is not in `cni.dev/valid-attachments`.
    Gc,
    /// Checks whether an ADD would succeed.
    Status,
    /// Returns the supported versions of the spec.
    Version,
}

impl CniCommand {
    const ALL: [Self; 6] = [
        Self::Add,
        Self::Del,
        Self::Check,
        Self::Gc,
        Self::Status,
        Self::Version,
    ];

    /// The value of `CNI_COMMAND`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Del => "DEL",
            Self::Check => "CHECK",
            Self::Gc => "GC",
            Self::Status => "STATUS",
            Self::Version => "VERSION",
        }
    }

    /// The variables that must be set and not empty.
    fn required(self) -> &'static [&'static str] {
        match self {
            Self::Add | Self::Check => &["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"],
            Self::Del => &["CNI_CONTAINERID", "CNI_IFNAME"],
            Self::Gc => &["CNI_PATH"],
            Self::Status | Self::Version => &[],
        }
    }

    fn is_about_an_attachment(self) -> bool {
        matches!(self, Self::Add | Self::Del | Self::Check)
    }
}

impl fmt::Display for CniCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CniCommand {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = Self::ALL.into_iter().find(|known| known.as_str() == text);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            invalid_environment(format!("CNI_COMMAND {text:?} is not one of {names}"))
        })
    }
}

/// The environment of one call. The command decides which parts are required: the accessors return
/// code 4 with the name of a missing variable.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The command.
    pub command: CniCommand,
    /// The attachment; `None` for GC, STATUS and VERSION.
    pub attachment: Option<Attachment>,
    /// `CNI_NETNS`, not empty. Required by ADD and CHECK, optional for DEL.
    pub netns: Option<PathBuf>,
    /// `CNI_ARGS`; empty for GC, STATUS and VERSION.
    pub args: Args,
    /// `CNI_PATH`: the folders to search for delegated plugins, in order. Required by GC.
    pub path: Vec<PathBuf>,
}

impl Environment {
    /// Reads and validates all variables that the command needs: `get` maps a name to its value. An
    /// empty value counts as missing, as in the spec's own library.
    pub fn read(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let command: CniCommand = match get("CNI_COMMAND") {
            Some(text) => text.to_string_lossy().parse()?,
            None => return Err(missing(&["CNI_COMMAND"])),
        };
        let absent: Vec<&str> = command
            .required()
            .iter()
            .copied()
            .filter(|name| get(name).is_none())
            .collect();
        if !absent.is_empty() {
            return Err(missing(&absent));
        }
        let (attachment, args) = if command.is_about_an_attachment() {
            let attachment = read_attachment(
                &get("CNI_CONTAINERID").unwrap_or_default(),
                &get("CNI_IFNAME").unwrap_or_default(),
            )?;
            let args = get("CNI_ARGS").unwrap_or_default();
            (Some(attachment), Args::parse(utf8("CNI_ARGS", &args)?)?)
        } else {
            (None, Args::default())
        };
        let path = get("CNI_PATH").unwrap_or_default();
        Ok(Self {
            command,
            attachment,
            netns: get("CNI_NETNS").map(PathBuf::from),
            args,
            path: env::split_paths(&path)
                .filter(|folder| !folder.as_os_str().is_empty())
                .collect(),
        })
    }

    /// The attachment, or code 4.
    pub fn attachment(&self) -> Result<&Attachment, Error> {
        self.attachment
            .as_ref()
            .ok_or_else(|| missing(&["CNI_CONTAINERID", "CNI_IFNAME"]))
    }

    /// The path of the pod's network namespace, or code 4.
    pub fn netns(&self) -> Result<&PathBuf, Error> {
        self.netns.as_ref().ok_or_else(|| missing(&["CNI_NETNS"]))
    }
}

/// Checks both variables, as the spec wants all invalid ones named.
fn read_attachment(container_id: &OsString, interface: &OsString) -> Result<Attachment, Error> {
    let container_id = utf8("CNI_CONTAINERID", container_id)?;
    let interface = utf8("CNI_IFNAME", interface)?;
    match (check_container_id(container_id), check_interface(interface)) {
        (Err(one), Err(other)) => Err(invalid_environment(format!("{one}; {other}"))),
        _ => Attachment::new(container_id, interface),
    }
}

fn utf8<'a>(name: &str, value: &'a OsString) -> Result<&'a str, Error> {
    value
        .to_str()
        .ok_or_else(|| invalid_environment(format!("{name} {} is not UTF-8", value.display())))
}

fn missing(names: &[&str]) -> Error {
    let (noun, verb) = if names.len() == 1 {
        ("variable", "is")
    } else {
        ("variables", "are")
    };
    let names = names.join(", ");
    invalid_environment(format!("environment {noun} {names} {verb} missing"))
        .advise("the runtime must set what SPEC.md, section 2, requires for its CNI_COMMAND")
}

#[cfg(test)]
mod tests;
