//! The errors of the registry, with their CNI codes and advice for the operator.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use wire::cni::{self, code};
use wire::node::NodeName;
use wire::text::list;

use crate::records::{Network, NodeRecord};

/// The error about a used-up pod CIDR names at most this many nodes.
const MAX_NODES_NAMED: usize = 5;

/// Why an operation failed. [`Error::message`] names the culprit, [`Error::advice`] the cure;
/// `Display` shows both.
#[derive(Debug)]
pub enum Error {
    /// etcd did not answer in time.
    Unreachable {
        /// The configured endpoints.
        endpoints: Vec<String>,
        /// The time-out of the operation.
        within: Duration,
        /// The error of the last attempt.
        why: String,
    },
    /// etcd answered with an error.
    Refused {
        /// The endpoint that answered.
        endpoint: String,
        /// The text of etcd.
        why: String,
        /// The client lacks a permission; otherwise, etcd lacks resources.
        denied: bool,
    },
    /// The API server of Kubernetes cannot be read, or a Node has not what is needed.
    Kubernetes {
        /// What is wrong.
        why: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// The Node has no pod CIDR that can be used; those of before are not this node's any more.
    NoPodCidrs {
        /// What is wrong.
        why: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// The configuration for etcd cannot be used.
    Config {
        /// Which part: an endpoint or a file.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The conflist differs from the network in the registry.
    Mismatch {
        /// The network in this node's conflist.
        ours: Network,
        /// The network in the registry.
        theirs: Box<Network>,
        /// The key of the network in the registry.
        key: String,
    },
    /// Every subnet of a pod CIDR is claimed.
    Exhausted {
        /// The pod CIDR.
        pod_cidr: IpNet,
        /// The number of its subnets.
        total: u128,
        /// How many of them the conflist excludes completely.
        excluded: u128,
        /// How many of them each node owns.
        by_node: BTreeMap<NodeName, usize>,
    },
    /// The node lost every race for a subnet.
    Contended {
        /// The node that needs a subnet.
        node: NodeName,
        /// The number of its attempts.
        attempts: u32,
    },
    /// Another process of this node holds the lock for claiming subnets.
    Busy {
        /// The locked file.
        path: PathBuf,
        /// How long this process waited.
        within: Duration,
    },
    /// Another machine holds the node's name.
    NodeTaken {
        /// The name.
        node: NodeName,
        /// This machine.
        ours: NodeRecord,
        /// The machine that holds it.
        theirs: Box<NodeRecord>,
    },
    /// The subnet belongs to another node.
    NotOwned {
        /// The subnet.
        subnet: IpNet,
        /// The node that gives it back.
        node: NodeName,
        /// The owner, if it can be read.
        owner: Option<NodeName>,
    },
    /// A record in the registry cannot be read, and the operation needs it.
    Corrupt {
        /// The full key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file of this node has unusable content.
    CorruptFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file or folder of this node cannot be read or written.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was attempted: "read", "write" and the like.
        action: &'static str,
        /// The error of the system call.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            action,
            source,
        }
    }

    /// The CNI error code, see [`wire::cni::code`].
    pub fn code(&self) -> u32 {
        match self {
            Self::Unreachable { .. }
            | Self::Refused { denied: false, .. }
            | Self::Contended { .. }
            | Self::Kubernetes { .. }
            | Self::NoPodCidrs { .. }
            | Self::Busy { .. } => code::TRY_AGAIN,
            Self::Refused { denied: true, .. } | Self::Config { .. } | Self::NotOwned { .. } => {
                code::INVALID_CONFIG
            }
            Self::Mismatch { .. } => code::NETWORK_MISMATCH,
            Self::Exhausted { .. } => code::NO_FREE_ADDRESS,
            Self::NodeTaken { .. } => code::NODE_NAME_TAKEN,
            Self::Corrupt { .. } | Self::CorruptFile { .. } => code::DECODING,
            Self::Io { .. } => code::IO,
        }
    }

    /// The error that only Kubernetes gives nodes their subnets and takes them back.
    pub(crate) fn kubernetes_decides() -> Self {
        let why = "Kubernetes gives nodes their subnets, and takes them back".to_owned();
        let advice = "delete the Node of a node that is gone for good; if routes are held although it \
                      is deleted: create one with these podCIDRs, and delete that";
        Self::Kubernetes { why, advice }
    }

    /// What failed, naming the culprit.
    pub fn message(&self) -> String {
        match self {
            Self::Unreachable {
                endpoints,
                within,
                why,
            } => format!(
                "etcd at {} did not answer within {} s: {why}",
                endpoints.join(", "),
                within.as_secs_f64()
            ),
            Self::Refused { endpoint, why, .. } => {
                format!("etcd at {endpoint} refused the request: {why}")
            }
            Self::Kubernetes { why, .. } | Self::NoPodCidrs { why, .. } => why.clone(),
            Self::Config { what, why } => format!("{what} cannot be used for etcd: {why}"),
            Self::Mismatch { ours, theirs, key } => format!(
                "the conflist says {ours}, but the network's nodes agreed on {theirs} ({key})"
            ),
            Self::Exhausted {
                pod_cidr,
                total,
                excluded,
                by_node,
            } => {
                let (or_excluded, owners) = (or_excluded(*excluded), largest_owners(by_node));
                format!(
                    "all {total} subnets of pod CIDR {pod_cidr} are claimed{or_excluded}{owners}"
                )
            }
            Self::Contended { node, attempts } => format!(
                "other nodes claimed every subnet that node {node} tried, {attempts} times in a row"
            ),
            Self::Busy { path, within } => format!(
                "another process has been claiming subnets for this node for {} s and holds {}",
                within.as_secs_f64(),
                path.display()
            ),
            Self::NodeTaken { node, ours, theirs } => format!(
                "node name {node} is held by {} and this is {}{}",
                machine(theirs),
                machine(ours),
                if_clone(ours, theirs)
            ),
            Self::NotOwned {
                subnet,
                node,
                owner,
            } => not_owned(subnet, node, owner.as_ref()),
            Self::Corrupt { key, why } => format!("the record {key} is unusable: {why}"),
            Self::CorruptFile { path, why } => format!("{} is unusable: {why}", path.display()),
            Self::Io {
                path,
                action,
                source,
            } => {
                format!("cannot {action} {}: {source}", path.display())
            }
        }
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => {
                "check that etcd runs, that this node reaches it, and the etcd section's endpoints and certificates"
            }
            Self::Refused { denied: true, .. } => {
                "check the client certificate and etcd's roles: reads and writes below the prefix are needed"
            }
            Self::Refused { .. } => {
                "check etcd's health with etcdctl endpoint status and alarm list"
            }
            Self::Kubernetes { advice, .. } | Self::NoPodCidrs { advice, .. } => advice,
            Self::Config { .. } => {
                "correct the etcd section of the conflist, or the file it names; on Kubernetes it is from the Secret flatland-etcd, which conf/kubernetes/etcd/certificates.sh --apply makes"
            }
            Self::Mismatch { .. } => {
                "use the conflist of the other nodes, or another network name or prefix"
            }
            Self::Exhausted { .. } => {
                "release the subnets of nodes that are gone, or plan a network with a larger pod CIDR"
            }
            Self::Contended { .. } => "try again when fewer nodes start at once",
            Self::Busy { .. } => {
                "try again; that process probably waits for the registry, and will report why"
            }
            Self::NodeTaken { ours, theirs, .. } if ours.machine_id == theirs.machine_id => {
                "give one of the two another node name, and the clone a machine id of its own (rm /etc/machine-id, then systemd-machine-id-setup); the name is free once the routed of the other has stopped"
            }
            Self::NodeTaken { .. } => {
                "give one of the two machines another node name; a name is free to take over once the routed of its machine has stopped"
            }
            Self::NotOwned { .. } => "nothing was released",
            Self::Corrupt { .. } => "read it with etcdctl get, then repair or delete it",
            Self::CorruptFile { .. } => "repair it, or move it away",
            Self::Io { .. } => "check the folder's owner, free space and mount options",
        }
    }
}

fn machine(record: &NodeRecord) -> String {
    match record.addresses.as_slice() {
        [] => format!("machine {} (no address known)", record.machine_id),
        addresses => format!("machine {} ({})", record.machine_id, list(addresses)),
    }
}

fn not_owned(subnet: &IpNet, node: &NodeName, owner: Option<&NodeName>) -> String {
    match owner {
        Some(owner) => format!("subnet {subnet} belongs to node {owner}, not to {node}"),
        None => format!("subnet {subnet} does not belong to node {node}"),
    }
}

fn or_excluded(excluded: u128) -> String {
    match excluded {
        0 => String::new(),
        some => format!(" or excluded ({some} of them)"),
    }
}

fn if_clone(ours: &NodeRecord, theirs: &NodeRecord) -> &'static str {
    if ours.machine_id == theirs.machine_id {
        ": the same machine-id: a clone?"
    } else {
        ""
    }
}

fn largest_owners(by_node: &BTreeMap<NodeName, usize>) -> String {
    let mut owners: Vec<_> = by_node.iter().collect();
    owners.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let named = owners.iter().take(MAX_NODES_NAMED);
    let mut parts: Vec<_> = named
        .map(|(node, count)| format!("{count} by {node}"))
        .collect();
    if let Some(others) = owners
        .get(MAX_NODES_NAMED..)
        .filter(|others| !others.is_empty())
    {
        let count: usize = others.iter().map(|(_, count)| **count).sum();
        parts.push(format!("{count} by {} other nodes", others.len()));
    }
    if parts.is_empty() {
        String::new()
    } else {
        format!(": {}", parts.join(", "))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message(), self.advice())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<Error> for cni::Error {
    fn from(error: Error) -> Self {
        Self::new(error.code(), error.message()).advise(error.advice())
    }
}

#[cfg(test)]
mod tests;
