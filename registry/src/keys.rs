//! The names of Flatland's keys in etcd, rendered and parsed.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use wire::node::NodeName;

/// The keys of one network: everything under `<prefix>/<network>/`.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    base: String,
}

/// One key, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    Config,
    Node(NodeName),
    Subnet(IpNet),
    Presence(NodeName),
}

impl Keys {
    pub(crate) fn new(prefix: &str, network: &str) -> Self {
        Self {
            base: format!("{}/{network}/", prefix.trim_end_matches('/')),
        }
    }

    /// The prefix of all keys of the network, with the final `/`.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn config(&self) -> String {
        self.key(&Key::Config)
    }

    pub(crate) fn node(&self, node: &NodeName) -> String {
        format!("{}nodes/{node}", self.base)
    }

    /// The prefix of all subnet keys.
    pub(crate) fn subnets(&self) -> String {
        format!("{}subnets/", self.base)
    }

    pub(crate) fn subnet(&self, subnet: &IpNet) -> String {
        self.key(&Key::Subnet(*subnet))
    }

    pub(crate) fn presence(&self, node: &NodeName) -> String {
        format!("{}presence/{node}", self.base)
    }

    /// The prefix of the keys that count how long a node has been absent. They are outside
    /// [`Keys::base`], so that watchers of the network are not woken by every count. The `:` keeps
    /// them apart from other networks: no network name has a colon.
    pub(crate) fn absences(&self) -> String {
        format!("{}:absent/", self.base.trim_end_matches('/'))
    }

    pub(crate) fn absence(&self, node: &NodeName) -> String {
        format!("{}{node}", self.absences())
    }

    /// This key exists as long as no further node may be forgotten for its absence.
    pub(crate) fn pause(&self) -> String {
        format!("{}:forgot", self.base.trim_end_matches('/'))
    }

    /// The prefix of all node keys.
    pub(crate) fn nodes(&self) -> String {
        format!("{}nodes/", self.base)
    }

    /// The prefix of all presence keys.
    pub(crate) fn presences(&self) -> String {
        format!("{}presence/", self.base)
    }

    pub(crate) fn key(&self, key: &Key) -> String {
        format!("{}{key}", self.base)
    }

    /// The part of a key after [`Keys::base`].
    pub(crate) fn name<'a>(&self, key: &'a [u8]) -> Cow<'a, str> {
        String::from_utf8_lossy(key.strip_prefix(self.base.as_bytes()).unwrap_or(key))
    }
}

impl FromStr for Key {
    type Err = String;

    /// Parses what follows `<prefix>/<network>/`. The error says what is wrong with it.
    fn from_str(name: &str) -> Result<Self, String> {
        match name.split_once('/') {
            None if name == "config" => Ok(Self::Config),
            Some(("nodes", name)) => node(name).map(Self::Node),
            Some(("presence", name)) => node(name).map(Self::Presence),
            Some(("subnets", name)) => subnet(name).map(Self::Subnet),
            _ => Err("this version knows no such key".to_owned()),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config => write!(f, "config"),
            Self::Node(node) => write!(f, "nodes/{node}"),
            Self::Subnet(subnet) => {
                write!(f, "subnets/{}-{}", subnet.network(), subnet.prefix_len())
            }
            Self::Presence(node) => write!(f, "presence/{node}"),
        }
    }
}

fn node(name: &str) -> Result<NodeName, String> {
    name.parse().map_err(|why| format!("{why}"))
}

/// Accepts only the spelling that [`Key`] renders. A second spelling would be a second key for the
/// same subnet, and the claim transaction compares only one.
fn subnet(name: &str) -> Result<IpNet, String> {
    let malformed = || "the key is not of the form subnets/<address>-<length>".to_owned();
    let (address, length) = name.rsplit_once('-').ok_or_else(malformed)?;
    let subnet: IpNet = format!("{address}/{length}")
        .parse()
        .map_err(|_| malformed())?;
    let canonical = subnet.trunc();
    if Key::Subnet(canonical).to_string() == format!("subnets/{name}") {
        Ok(canonical)
    } else {
        Err(format!(
            "the key should be spelled {}",
            Key::Subnet(canonical)
        ))
    }
}

#[cfg(test)]
mod tests;
