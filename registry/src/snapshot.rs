//! Snapshots of the registry, and the changes that bring them up to date.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use ipnet::IpNet;
use wire::node::NodeName;

use crate::keys::Key;
use crate::records::{Claim, Network, NodeRecord, Presence, read_network, read_value, too_large};

/// At most this many ignored records are kept by name; the others are only counted.
pub const MAX_REJECTED: usize = 1_000;

/// At most this many subnets with an unreadable claim are kept.
const MAX_UNREADABLE: usize = 65_536;

/// A node record with more addresses than this is rejected.
const MAX_ADDRESSES: usize = 64;

/// Keys of rejected records, and what is wrong with them, are truncated to this many bytes.
const MAX_TEXT: usize = 512;

/// Everything in the registry about one network, at one revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The revision of etcd's store; for the local registry, the number of writes.
    pub revision: i64,
    /// The id of the etcd cluster; 0 for the local registry.
    pub cluster: u64,
    /// The agreed network; `None` if no node has joined yet, or the data is gone.
    pub network: Option<Network>,
    /// Every registered node.
    pub nodes: BTreeMap<NodeName, NodeRecord>,
    /// The owner of each claimed subnet. If `network` is known, all of them are subnets of it, so
    /// no two overlap.
    pub subnets: BTreeMap<IpNet, Claim>,
    /// The nodes whose `routed` is alive.
    pub presence: BTreeMap<NodeName, Presence>,
    /// Ignored keys, relative to `<prefix>/<network>/`, and why they are ignored; at most
    /// [`MAX_REJECTED`].
    pub rejected: BTreeMap<String, String>,
    /// Roughly how many more keys are ignored.
    pub rejected_more: usize,
    /// Subnets of the network whose claim cannot be read; at most 65,536.
    pub unreadable: BTreeSet<IpNet>,
}

/// An event of [`crate::Registry::watch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryEvent {
    /// Replace everything known by this snapshot. Comes first (after `Disconnected` and
    /// `Connected`, if the registry is down at first), and again whenever the changes in between
    /// cannot be known.
    Reset(Snapshot),
    /// The changes of one revision.
    Changes {
        /// The revision after these changes.
        revision: i64,
        /// In etcd's order.
        changes: Vec<RegistryChange>,
    },
    /// The registry cannot be reached; attempts go on. Comes once per outage, and again when the
    /// reason becomes another.
    Disconnected {
        /// The reason; it names the endpoints.
        why: String,
    },
    /// The registry is back; missed changes follow. Comes once per outage.
    Connected,
}

/// A change of one key; `None` means that the key is gone. A change of `config` is no
/// `RegistryChange` but a [`RegistryEvent::Reset`], because all other records are checked against
/// it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryChange {
    /// A node registered, changed its record or was forgotten.
    Node(NodeName, Option<NodeRecord>),
    /// A subnet was claimed or released.
    Subnet(IpNet, Option<Claim>),
    /// The `routed` of a node started, began a new session or went.
    Presence(NodeName, Option<Presence>),
    /// A key has a value that is ignored (`why`), or such a key is gone (`None`). An earlier valid
    /// value does not count any more.
    Rejected {
        /// Relative to `<prefix>/<network>/`.
        key: String,
        /// What is wrong with the key or its value.
        why: Option<String>,
    },
}

impl Snapshot {
    /// Brings the snapshot to `revision`. It then equals a fresh snapshot of that revision, except
    /// for the choice of keys in `rejected` if there are too many.
    pub fn apply(&mut self, revision: i64, changes: Vec<RegistryChange>) {
        self.revision = revision;
        for change in changes {
            self.change(change);
        }
    }

    /// Whether `change` rejects a record that was not yet rejected for the same reason.
    pub fn is_new_rejection(&self, change: &RegistryChange) -> bool {
        match change {
            RegistryChange::Rejected {
                key,
                why: Some(why),
            } => self.rejected.get(key) != Some(why),
            _ => false,
        }
    }

    fn change(&mut self, change: RegistryChange) {
        let was_named =
            !self.rejected.is_empty() && self.rejected.remove(change.key().as_ref()).is_some();
        if let Some(subnet) = change.subnet().filter(|_| !self.unreadable.is_empty()) {
            self.unreadable.remove(&subnet);
        }
        match change {
            RegistryChange::Node(node, record) => set(&mut self.nodes, node, record),
            RegistryChange::Subnet(subnet, claim) => {
                let claim = claim.map(|claim| Claim {
                    node: self.interned(claim.node),
                });
                set(&mut self.subnets, subnet, claim);
            }
            RegistryChange::Presence(node, presence) => {
                let node = self.interned(node);
                set(&mut self.presence, node, presence);
            }
            RegistryChange::Rejected { key, why } => {
                match key.parse() {
                    Ok(Key::Node(node)) => set(&mut self.nodes, node, None),
                    Ok(Key::Subnet(subnet)) => {
                        set(&mut self.subnets, subnet, None);
                        self.note_unreadable(subnet, why.is_some());
                    }
                    Ok(Key::Presence(node)) => set(&mut self.presence, node, None),
                    Ok(Key::Config) | Err(_) => {}
                }
                self.note_rejected(key, why, was_named);
            }
        }
    }

    /// The name as in the node's record, so that all copies share its text.
    fn interned(&self, node: NodeName) -> NodeName {
        let known = self.nodes.get_key_value(&node);
        known.map_or(node, |(known, _)| known.clone())
    }

    fn note_unreadable(&mut self, subnet: IpNet, is_there: bool) {
        let network = self.network.as_ref();
        let is_ours = network.is_none_or(|network| network.pod_cidr_of(&subnet).is_some());
        if is_there && is_ours && self.unreadable.len() < MAX_UNREADABLE {
            self.unreadable.insert(subnet);
        }
    }

    fn note_rejected(&mut self, key: String, why: Option<String>, was_named: bool) {
        match why {
            Some(why) if self.rejected.len() < MAX_REJECTED => {
                self.rejected.insert(key, why);
            }
            Some(_) => self.rejected_more += 1,
            None if was_named => {}
            None => self.rejected_more = self.rejected_more.saturating_sub(1),
        }
    }

    /// Adds a key whose value is too large for any record.
    pub(crate) fn insert_too_large(&mut self, name: &str) {
        let why = name.parse::<Key>().err().unwrap_or_else(too_large);
        self.change(RegistryChange::rejected(name, &why));
    }

    /// The number of records.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len() + self.subnets.len() + self.presence.len()
    }

    /// Makes the records that were added in the order of their keys smaller.
    pub(crate) fn pack(&mut self) {
        self.nodes = packed(mem::take(&mut self.nodes));
        self.subnets = packed(mem::take(&mut self.subnets));
        self.presence = packed(mem::take(&mut self.presence));
    }

    /// Adds one key and its value. `config` must come before the subnets, as it does in etcd's key
    /// order.
    pub(crate) fn insert(&mut self, name: &str, value: &[u8]) {
        if let Ok(Key::Config) = name.parse()
            && let Ok(network) = read_network(value)
        {
            self.network = Some(network);
        } else {
            self.change(RegistryChange::of_value(self.network.as_ref(), name, value));
        }
    }
}

impl RegistryChange {
    /// The subnet whose claim changed.
    pub fn subnet(&self) -> Option<IpNet> {
        match self {
            Self::Subnet(subnet, _) => Some(*subnet),
            Self::Rejected { key, .. } => match key.parse() {
                Ok(Key::Subnet(subnet)) => Some(subnet),
                _ => None,
            },
            Self::Node(..) | Self::Presence(..) => None,
        }
    }

    /// The node whose record changed.
    pub fn node(&self) -> Option<NodeName> {
        match self {
            Self::Node(node, _) => Some(node.clone()),
            Self::Rejected { key, .. } => match key.parse() {
                Ok(Key::Node(node)) => Some(node),
                _ => None,
            },
            Self::Subnet(..) | Self::Presence(..) => None,
        }
    }

    /// The change that the key `name` now has `value`. Not for `config`.
    pub(crate) fn of_value(network: Option<&Network>, name: &str, value: &[u8]) -> Self {
        let read = name.parse().and_then(|key| Self::read(network, key, value));
        read.unwrap_or_else(|why| Self::rejected(name, &why))
    }

    /// Parses a key's value. Subnets are checked against `network`, once that is known. The error
    /// says what is wrong, without naming the key.
    pub(crate) fn read(network: Option<&Network>, key: Key, value: &[u8]) -> Result<Self, String> {
        match key {
            Key::Config => read_network(value).and_then(|_| Err("the network changed".to_owned())),
            Key::Node(node) => {
                let record: NodeRecord = read_value(value)?;
                let count = record.addresses.len();
                if count > MAX_ADDRESSES {
                    return Err(format!(
                        "it gives {count} addresses, more than {MAX_ADDRESSES}"
                    ));
                }
                Ok(Self::Node(node, Some(record)))
            }
            Key::Presence(node) => Ok(Self::Presence(node, Some(read_value(value)?))),
            Key::Subnet(subnet) => {
                let claim = read_value(value)?;
                match network {
                    Some(network) if network.pod_cidr_of(&subnet).is_none() => Err(format!(
                        "{subnet} is not a subnet of the network ({network})"
                    )),
                    _ => Ok(Self::Subnet(subnet, Some(claim))),
                }
            }
        }
    }

    /// The change that the key `name` is gone. Not for `config`.
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

    fn rejected(name: &str, why: &str) -> Self {
        Self::Rejected {
            key: shorten(name),
            why: Some(shorten(why)),
        }
    }

    /// The key, relative to `<prefix>/<network>/`.
    fn key(&self) -> Cow<'_, str> {
        match self {
            Self::Node(node, _) => Key::Node(node.clone()).to_string().into(),
            Self::Subnet(subnet, _) => Key::Subnet(*subnet).to_string().into(),
            Self::Presence(node, _) => Key::Presence(node.clone()).to_string().into(),
            Self::Rejected { key, .. } => key.into(),
        }
    }
}

/// The same map with full nodes. A map to which keys were added in their order has nodes that are
/// half empty; with thousands of peers that is much of the memory.
pub fn packed<K: Ord, V>(map: BTreeMap<K, V>) -> BTreeMap<K, V> {
    map.into_iter().collect()
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

fn shorten(text: &str) -> String {
    match text.char_indices().find(|(at, _)| *at >= MAX_TEXT) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
