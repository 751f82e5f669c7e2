//! The registry as one sees it: whole at one revision, then change by change.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use wire::node::NodeName;

use crate::keys::Key;
use crate::records::{Claim, Network, NodeRecord, Presence, Record};

/// As many unreadable records are kept by name; there may be more of them.
pub const MOST_REJECTED: usize = 1_000;

/// As many subnets are known to have a claim that cannot be read; there may be more of them.
const MOST_UNREADABLE: usize = 65_536;

/// A node whose record gives more addresses than this is not believed.
const MOST_ADDRESSES: usize = 64;

/// Names of rejected keys, and what is wrong with them, are shortened to so many bytes before they
/// are kept.
const LONGEST_TEXT: usize = 512;

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
    /// About how many more were ignored.
    pub rejected_more: usize,
    /// Subnets of the network that somebody has claimed with a value that cannot be read; at most
    /// 65,536.
    pub unreadable: BTreeSet<IpNet>,
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

    /// Whether `change` says of a record that it is ignored, and that was not known.
    pub fn is_new_rejection(&self, change: &Change) -> bool {
        match change {
            Change::Rejected {
                key,
                why: Some(why),
            } => self.rejected.get(key) != Some(why),
            _ => false,
        }
    }

    fn change(&mut self, change: Change) {
        let was_named =
            !self.rejected.is_empty() && self.rejected.remove(change.key().as_ref()).is_some();
        if let Some(subnet) = change.subnet().filter(|_| !self.unreadable.is_empty()) {
            self.unreadable.remove(&subnet);
        }
        match change {
            Change::Node(node, record) => set(&mut self.nodes, node, record),
            Change::Subnet(subnet, claim) => {
                let claim = claim.map(|claim| Claim {
                    node: self.shared(claim.node),
                });
                set(&mut self.subnets, subnet, claim);
            }
            Change::Presence(node, presence) => {
                let node = self.shared(node);
                set(&mut self.presence, node, presence);
            }
            Change::Rejected { key, why } => {
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

    /// The name as the node's record has it, so that all share its text.
    fn shared(&self, node: NodeName) -> NodeName {
        let known = self.nodes.get_key_value(&node);
        known.map_or(node, |(known, _)| known.clone())
    }

    fn note_unreadable(&mut self, subnet: IpNet, is_there: bool) {
        let network = self.network.as_ref();
        let is_ours = network.is_none_or(|network| network.pod_cidr_of(&subnet).is_some());
        if is_there && is_ours && self.unreadable.len() < MOST_UNREADABLE {
            self.unreadable.insert(subnet);
        }
    }

    fn note_rejected(&mut self, key: String, why: Option<String>, was_named: bool) {
        match why {
            Some(why) if self.rejected.len() < MOST_REJECTED => {
                self.rejected.insert(key, why);
            }
            Some(_) => self.rejected_more += 1,
            None if was_named => {}
            None => self.rejected_more = self.rejected_more.saturating_sub(1),
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
    /// The subnet whose claim it is about.
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

    /// The node whose record it is about.
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
            Ok(Record::Node(node, record)) if record.addresses.len() <= MOST_ADDRESSES => {
                return Self::Node(node, Some(record));
            }
            Ok(Record::Node(_, record)) => {
                let count = record.addresses.len();
                format!("it gives {count} addresses, more than {MOST_ADDRESSES}")
            }
            Ok(Record::Subnet(subnet, claim)) => return Self::Subnet(subnet, Some(claim)),
            Ok(Record::Presence(node, presence)) => return Self::Presence(node, Some(presence)),
            Ok(Record::Network(_)) => "the network changed".to_owned(),
            Err(why) => why,
        };
        Self::Rejected {
            key: shorten(name),
            why: Some(shorten(&why)),
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

fn shorten(text: &str) -> String {
    match text.char_indices().find(|(at, _)| *at >= LONGEST_TEXT) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
