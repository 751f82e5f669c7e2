//! One call of a plugin: environment and configuration, with the checks that every plugin needs.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::attachment::check_network;
use super::{Attachment, CniCommand, CniVersion, Environment, Error, Success, code};

/// The key under which a runtime lists the attachments that GC keeps, and its name in the published
/// text of 1.1.0. The spec's library sets both (github.com/containernetworking/cni/issues/1101).
const VALID_ATTACHMENTS: &str = "cni.dev/valid-attachments";
const ATTACHMENTS: &str = "cni.dev/attachments";

/// One call of a plugin, checked.
#[derive(Debug, Clone)]
pub struct Call {
    /// The environment.
    pub environment: Environment,
    /// Standard input as it came; a delegated plugin gets the same.
    pub stdin: Vec<u8>,
    /// `cniVersion`: the version of the reply. A missing one means 0.1.0, which is refused.
    pub version: CniVersion,
    /// `name`: the network's name, in the spec's alphabet.
    pub network: String,
    /// The whole configuration, an object.
    pub config: Value,
}

impl Call {
    /// Checks that the configuration is an object (code 6), has a supported version in which the
    /// command exists (code 1), and a valid network name (code 7).
    pub fn new(environment: Environment, stdin: Vec<u8>) -> Result<Self, Error> {
        let config = decode(&stdin)?;
        Self::with_config(environment, stdin, config)
    }

    pub(super) fn with_config(
        environment: Environment,
        stdin: Vec<u8>,
        config: Value,
    ) -> Result<Self, Error> {
        let version = version_of(&config)?;
        check_command(environment.command, version)?;
        Ok(Self {
            network: network_of(&config)?,
            environment,
            stdin,
            version,
            config,
        })
    }

    /// The same call with another command.
    pub(super) fn with_command(&self, command: CniCommand) -> Cow<'_, Self> {
        if command == self.environment.command {
            return Cow::Borrowed(self);
        }
        let mut call = self.clone();
        call.environment.command = command;
        Cow::Owned(call)
    }

    /// The result of the previous plugin, or of ADD; `None` if the runtime gave none.
    pub fn prev_result(&self) -> Result<Option<Success>, Error> {
        match self.config.get("prevResult") {
            None | Some(Value::Null) => Ok(None),
            Some(value) => Success::parse(value, self.version)
                .map(Some)
                .map_err(|error| error.within("prevResult")),
        }
    }

    /// The result of ADD, without which there is nothing to CHECK.
    pub fn add_result(&self) -> Result<Success, Error> {
        self.prev_result()?.ok_or_else(|| {
            let msg = "the network configuration has no prevResult";
            Error::new(code::INVALID_CONFIG, msg).advise("CHECK needs the result of ADD")
        })
    }

    /// The attachments that GC keeps. The list may be empty or `null`, as Go writes an empty one, but
    /// must be there and valid as a whole (code 7): GC would remove an attachment that was
    /// overlooked.
    pub fn valid_attachments(&self) -> Result<BTreeSet<Attachment>, Error> {
        valid_attachments(&self.config)
    }

    /// The same GC call with more attachments to keep, also in the input of a delegated plugin.
    #[must_use]
    pub fn with_more_valid(&self, more: &[Attachment]) -> Self {
        let mut call = self.clone();
        if more.is_empty() {
            return call;
        }
        let items = more.iter().map(|attachment| {
            json!({
                "containerID": attachment.container_id(),
                "ifname": attachment.interface(),
            })
        });
        let items: Vec<Value> = items.collect();
        for key in [VALID_ATTACHMENTS, ATTACHMENTS] {
            match call.config.get_mut(key) {
                Some(Value::Array(list)) => list.extend(items.iter().cloned()),
                Some(list) => *list = items.clone().into(),
                None => {}
            }
        }
        call.stdin = call.config.to_string().into_bytes();
        call
    }
}

/// Standard input as a JSON object, or code 6.
pub(super) fn decode(stdin: &[u8]) -> Result<Value, Error> {
    let undecodable = |why: String| {
        let msg = format!("the network configuration on standard input {why}");
        Error::new(code::DECODING, msg)
    };
    match serde_json::from_slice(stdin) {
        Ok(config @ Value::Object(_)) => Ok(config),
        Ok(_) => Err(undecodable("is not a JSON object".into())),
        Err(_) if stdin.trim_ascii().is_empty() => Err(undecodable("is empty".into())),
        Err(error) => Err(undecodable(format!("is not JSON: {error}"))),
    }
}

/// `cniVersion`. If it is missing, the spec's library assumes 0.1.0, which we do not support.
pub(crate) fn version_of(config: &Value) -> Result<CniVersion, Error> {
    let incompatible = |msg: String| {
        let versions = CniVersion::ALL.map(CniVersion::as_str).join(", ");
        Error::new(code::INCOMPATIBLE_VERSION, msg)
            .advise(format!("set it to one of {versions} in the conflist"))
    };
    match config.get("cniVersion") {
        None => Err(incompatible(
            "cniVersion is missing, which means 0.1.0".into(),
        )),
        Some(Value::String(text)) => text
            .parse()
            .map_err(|_| incompatible(format!("cniVersion {text:?} is not supported"))),
        Some(other) => {
            let msg = format!("cniVersion {other} is not a string");
            Err(Error::new(code::DECODING, msg))
        }
    }
}

/// `name`, checked.
pub(crate) fn network_of(config: &Value) -> Result<String, Error> {
    match config.get("name") {
        None => {
            let msg = "the network configuration has no \"name\"";
            Err(Error::new(code::INVALID_CONFIG, msg))
        }
        Some(Value::String(name)) => check_network(name).map(|()| name.clone()),
        Some(other) => {
            let msg = format!("network name {other} is not a string");
            Err(Error::new(code::DECODING, msg))
        }
    }
}

fn check_command(command: CniCommand, version: CniVersion) -> Result<(), Error> {
    let since = match command {
        CniCommand::Check => CniVersion::V0_4_0,
        CniCommand::Gc | CniCommand::Status => CniVersion::V1_1_0,
        CniCommand::Add | CniCommand::Del | CniCommand::Version => return Ok(()),
    };
    if version >= since {
        return Ok(());
    }
    let msg = format!("cniVersion {version} has no CNI_COMMAND {command}: it came with {since}");
    Err(Error::new(code::INCOMPATIBLE_VERSION, msg))
}

/// The attachments under both names of the key.
fn valid_attachments(config: &Value) -> Result<BTreeSet<Attachment>, Error> {
    let invalid = |key: &str, why: String| Error::new(code::INVALID_CONFIG, format!("{key} {why}"));
    let keys = [VALID_ATTACHMENTS, ATTACHMENTS];
    let mut lists = keys
        .iter()
        .filter_map(|key| Some((key, config.get(key)?)))
        .peekable();
    if lists.peek().is_none() {
        return Err(invalid(VALID_ATTACHMENTS, "is missing".to_owned()));
    }
    let mut all = BTreeSet::new();
    for (key, list) in lists {
        let items = match list {
            Value::Null => &[],
            Value::Array(items) => items.as_slice(),
            _ => return Err(invalid(key, "is not a list".to_owned())),
        };
        for item in items {
            let text = |name| item.get(name).and_then(Value::as_str);
            let (Some(container_id), Some(interface)) = (text("containerID"), text("ifname"))
            else {
                let why = format!("holds {item}, which lacks containerID or ifname");
                return Err(invalid(key, why));
            };
            all.insert(Attachment::new(container_id, interface)?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
