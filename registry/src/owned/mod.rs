//! `subnets.json`: the subnets that this node owns, stored across reboots and without etcd.

mod further;
mod give_back;
mod renew;
pub mod shortage;

use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use wire::conf::IpamConfig;
use wire::file_lock::FileLock;
use wire::node::NodeName;

use crate::error::Error;
use crate::files;
use crate::policy::LOCK_POLL_INTERVAL;
use crate::protocol::Claimant;
use crate::records::Network;
use crate::registry::Registry;

/// Calls the given function, which removes subnets from the file, under the lock of the ledger. So
/// no address of these subnets is handed out afterwards, not even by an ADD that began before.
pub type UnderLedgerLock<'a> =
    &'a (dyn Fn(&dyn Fn() -> Result<(), Error>) -> Result<(), Error> + Sync);

/// Without the lock, for callers that hand out no address before they read the file again.
const WITHOUT_LEDGER_LOCK: UnderLedgerLock<'static> = &|change| change();

/// The content of `subnets.json` in the network's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owned {
    /// The id of the etcd cluster that holds the claims, in hexadecimal as in etcd's own tools;
    /// `None` for the local registry.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "cluster")]
    pub cluster: Option<u64>,
    /// The node that owns the subnets.
    pub node: NodeName,
    /// In the order in which the node got them. Those that came together are ordered by pod CIDR,
    /// then by address.
    pub subnets: Vec<IpNet>,
}

impl Owned {
    /// Reads the file in `folder`; `None` if there is none. [`Error::CorruptFile`] names it.
    pub fn load(folder: &Path) -> Result<Option<Self>, Error> {
        files::read(&path(folder))
    }

    /// Writes the file atomically and durably. The caller holds the lock.
    pub fn store(&self, folder: &Path) -> Result<(), Error> {
        files::make_folder(folder)?;
        files::write(&path(folder), self)
    }

    fn empty(&self) -> Self {
        Self {
            subnets: Vec::new(),
            ..self.clone()
        }
    }

    /// Whether `node` has a subnet of each pod CIDR, and so needs no registry to serve pods.
    pub fn has_all_families(&self, node: &NodeName, conf: &IpamConfig) -> bool {
        let has_all = match conf.kubernetes {
            // It has what Kubernetes gave it, perhaps of one family only.
            Some(_) => !self.subnets.is_empty(),
            None => lacking(&Network::from(conf), &self.subnets).is_empty(),
        };
        self.node == *node && has_all
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("subnets.json")
}

/// The pod CIDRs of which `subnets` contains none.
fn lacking(network: &Network, subnets: &[IpNet]) -> Vec<IpNet> {
    let pod_cidrs = network.pod_cidrs.iter().copied();
    let of = |pod_cidr| move |subnet: &IpNet| network.pod_cidr_of(subnet) == Some(pod_cidr);
    pod_cidrs
        .filter(|pod_cidr| !subnets.iter().any(of(*pod_cidr)))
        .collect()
}

/// The claims of one node: those in the registry, and the file that stores them on the node. Any
/// number of processes may work on them; they lock the file.
#[derive(Debug, Clone, Copy)]
pub struct NodeClaims<'a> {
    /// The registry.
    pub registry: &'a Registry,
    /// The folder of `subnets.json`.
    pub folder: &'a Path,
    /// The name of the node.
    pub node: &'a NodeName,
    /// The id of this machine, which holds that name or may take it over.
    pub machine: &'a str,
}

impl<'a> NodeClaims<'a> {
    fn claimant(&self) -> Claimant<'a> {
        self.registry.claimant(self.node, self.machine)
    }

    /// The file, unless it belongs to another node name.
    fn load(&self) -> Result<Option<Owned>, Error> {
        Ok(Owned::load(self.folder)?.filter(|owned| owned.node == *self.node))
    }

    /// Waits for the lock, for as long as the policy says. Returns the time that is left.
    async fn lock(&self) -> Result<(FileLock, Duration), Error> {
        self.lock_within(self.registry.policy().operation_timeout)
            .await
    }

    /// Like [`NodeClaims::lock`], with another time-out.
    async fn lock_within(&self, limit: Duration) -> Result<(FileLock, Duration), Error> {
        files::make_folder(self.folder)?;
        let path = self.folder.join("claim.lock");
        let began = Instant::now();
        loop {
            let left = limit.saturating_sub(began.elapsed());
            match files::try_lock(&path)? {
                Some(lock) => return Ok((lock, left)),
                None if left.is_zero() => {
                    return Err(Error::Busy {
                        path,
                        within: limit,
                    });
                }
                None => sleep(LOCK_POLL_INTERVAL.min(left)).await,
            }
        }
    }
}

mod cluster {
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::ref_option)] // The signature is serde's.
    pub(super) fn serialize<S: Serializer>(id: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => to.serialize_str(&format!("{id:x}")),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
        let id: Option<String> = Option::deserialize(from)?;
        id.map(|id| u64::from_str_radix(&id, 16))
            .transpose()
            .map_err(serde::de::Error::custom)
    }
}
