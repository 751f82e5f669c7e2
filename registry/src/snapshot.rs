//! The registry as one sees it: whole at one revision, then change by change.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ipnet::IpNet;
use wire::node::NodeName;

use crate::keys::Key;
use crate::records::{Claim, Network, NodeRecord, Presence, Record};

/// As many unreadable records are kept by name; there may be more of them.
pub const MOST_REJECTED: usize = 1_000;

/// Names longer than this, in bytes, are shortened before they are kept.
const LONGEST_NAME: usize = 512;

/// Everything the registry holds about one network, complete, as of one revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The revision of etcd's store this shows; for the local registry the number of writes.
    pub revision: i64,
    /// The id of the etcd cluster; 0 for the local registry.
    pub cluster: u64,
    /// What the nodes agreed on; `None` when no node has been here yet (or the data is gone).
    pub network: Option<Network>,
    /// Every node that ever registered and was not forgotten.
    pub nodes: BTreeMap<NodeName, NodeRecord>,
    /// Who owns which subnet. When `network` is known all are subnets of it, so that no two
    /// overlap.
    pub subnets: BTreeMap<IpNet, Claim>,
    /// The nodes whose `routed` is alive.
    pub presence: BTreeMap<NodeName, Presence>,
    /// Keys that were ignored, as named below `<prefix>/<network>/`, and why; at most
    /// [`MOST_REJECTED`].
    pub rejected: BTreeMap<String, String>,
}

/// What following the registry delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Forget what you knew: this is the whole registry. The first to come (after `Disconnected`
    /// and `Connected` where the registry is away at first); comes again whenever it cannot be
    /// told what happened in between.
    Reset(Snapshot),
    /// What one revision changed.
    Changes {
        /// The revision the registry has with these changes applied.
        revision: i64,
        /// In the order in which etcd reported them.
        changes: Vec<Change>,
    },
    /// The registry cannot be reached; trying goes on. Comes once per outage.
    Disconnected {
        /// In words, naming the endpoints.
        why: String,
    },
    /// The registry is back; what was missed follows. Comes once per outage.
    Connected,
}

/// One key that changed; `None` means that it is gone. A change of `config` is no `Change`: all
/// else is judged by it, so it comes as a [`Event::Reset`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A node registered, changed its record or was forgotten.
    Node(NodeName, Option<NodeRecord>),
    /// A subnet was claimed or released.
    Subnet(IpNet, Option<Claim>),
    /// A node's `routed` came, changed its session or went.
    Presence(NodeName, Option<Presence>),
    /// A key has a value that must be ignored (`why`), or had one and is gone (`None`). If the
    /// value was good before, it counts no more.
    Rejected {
        /// As named below `<prefix>/<network>/`.
        key: String,
        /// What is wrong with the key or its value.
        why: Option<String>,
    },
}

impl Snapshot {
    /// Brings the snapshot to `revision`: it then equals a fresh one of that revision, but for
    /// which of too many rejected keys it names.
    pub fn apply(&mut self, revision: i64, changes: Vec<Change>) {
        self.revision = revision;
        for change in changes {
            self.change(change);
        }
    }

    fn change(&mut self, change: Change) {
        if !self.rejected.is_empty() {
            self.rejected.remove(change.key().as_ref());
        }
        match change {
            Change::Node(node, record) => set(&mut self.nodes, node, record),
            Change::Subnet(subnet, claim) => set(&mut self.subnets, subnet, claim),
            Change::Presence(node, presence) => set(&mut self.presence, node, presence),
            Change::Rejected { key, why } => {
                match key.parse() {
                    Ok(Key::Node(node)) => set(&mut self.nodes, node, None),
                    Ok(Key::Subnet(subnet)) => set(&mut self.subnets, subnet, None),
                    Ok(Key::Presence(node)) => set(&mut self.presence, node, None),
                    Ok(Key::Config) | Err(_) => {}
                }
                if let Some(why) = why.filter(|_| self.rejected.len() < MOST_REJECTED) {
                    self.rejected.insert(key, why);
                }
            }
        }
    }

    /// Takes in one key and its value. `config` must come before the subnets, as the order of
    /// keys in etcd has it.
    pub(crate) fn insert(&mut self, name: &str, value: &[u8]) {
        let record = name
            .parse()
            .and_then(|key| Record::read(self.network.as_ref(), key, value));
        match record {
            Ok(Record::Network(network)) => self.network = Some(network),
            other => self.change(Change::put(name, other)),
        }
    }
}

impl Change {
    /// What it means that the key called `name` now has `value`. Never asked about `config`.
    pub(crate) fn of_value(network: Option<&Network>, name: &str, value: &[u8]) -> Self {
        Self::put(
            name,
            name.parse()
                .and_then(|key| Record::read(network, key, value)),
        )
    }

    /// What it means that the key called `name` is gone. Never asked about `config`.
    pub(crate) fn of_absence(name: &str) -> Self {
        match name.parse() {
            Ok(Key::Node(node)) => Self::Node(node, None),
            Ok(Key::Subnet(subnet)) => Self::Subnet(subnet, None),
            Ok(Key::Presence(node)) => Self::Presence(node, None),
            Ok(Key::Config) | Err(_) => Self::Rejected {
                key: shorten(name),
                why: None,
            },
        }
    }

    fn put(name: &str, record: Result<Record, String>) -> Self {
        let why = match record {
            Ok(Record::Node(node, record)) => return Self::Node(node, Some(record)),
            Ok(Record::Subnet(subnet, claim)) => return Self::Subnet(subnet, Some(claim)),
            Ok(Record::Presence(node, presence)) => return Self::Presence(node, Some(presence)),
            Ok(Record::Network(_)) => "the network changed".to_owned(),
            Err(why) => why,
        };
        Self::Rejected {
            key: shorten(name),
            why: Some(why),
        }
    }

    /// The key's name below `<prefix>/<network>/`.
    fn key(&self) -> Cow<'_, str> {
        match self {
            Self::Node(node, _) => Key::Node(node.clone()).to_string().into(),
            Self::Subnet(subnet, _) => Key::Subnet(*subnet).to_string().into(),
            Self::Presence(node, _) => Key::Presence(node.clone()).to_string().into(),
            Self::Rejected { key, .. } => key.into(),
        }
    }
}

fn set<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => {
            map.insert(key, value);
        }
        None => {
            map.remove(&key);
        }
    }
}

fn shorten(name: &str) -> String {
    match name.char_indices().find(|(at, _)| *at >= LONGEST_NAME) {
        Some((end, _)) => format!("{}...", &name[..end]),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
