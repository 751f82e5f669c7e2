//! The subnets this node owns, as it remembers them across reboots and without etcd.

mod change;
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
use crate::protocol::{Claimant, Goal, Registration};
use crate::records::Network;
use crate::registry::Registry;

pub use change::{claim_further, disown, give_back};

/// Calls the function that it is given while nobody hands out addresses: what that takes off the
/// file is not handed out afterwards, not even by who began before.
pub type UnderLedgerLock<'a> =
    &'a (dyn Fn(&dyn Fn() -> Result<(), Error>) -> Result<(), Error> + Sync);

/// Where nobody hands out addresses from what is taken off the file without reading it again.
const AT_ONCE: UnderLedgerLock<'static> = &|change| change();

/// flock(2) waits for ever or not at all.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The content of `subnets.json` in the network's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owned {
    /// The id of the etcd cluster that holds the claims, written as etcd's own tools do, in
    /// hexadecimal; `None` for the local registry.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "cluster")]
    pub cluster: Option<u64>,
    /// The node that owns them.
    pub node: NodeName,
    /// In the order in which the node came to own them; those that came together in order of the
    /// pod CIDRs, then of the address.
    pub subnets: Vec<IpNet>,
}

impl Owned {
    /// Reads the file in `folder`; `None` when there is none. [`Error::CorruptFile`] names it.
    pub fn load(folder: &Path) -> Result<Option<Self>, Error> {
        files::read(&path(folder))
    }

    /// Writes the file whole and durably. The caller holds the lock ([`ensure`] does).
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

    /// Whether `node` needs nothing of the registry to serve this network: a subnet of each pod
    /// CIDR is there.
    pub fn has_all_families(&self, node: &NodeName, conf: &IpamConfig) -> bool {
        let network = Network::from(conf);
        self.node == *node
            && network.pod_cidrs.iter().all(|pod_cidr| {
                self.subnets
                    .iter()
                    .any(|subnet| network.pod_cidr_of(subnet) == Some(*pod_cidr))
            })
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("subnets.json")
}

/// Makes sure that `node` owns a subnet of each pod CIDR, and that the file in `folder` says which.
///
/// The registry is asked only if the file does not say so already; then as [`renew`] does. Several
/// processes may do this at once; one of them does the work.
pub async fn ensure(
    registry: &Registry,
    folder: &Path,
    node: &NodeName,
    machine: &str,
    conf: &IpamConfig,
) -> Result<Owned, Error> {
    let known = || match Owned::load(folder) {
        // Renewing deals with it.
        Err(Error::CorruptFile { .. }) => Ok(None),
        known => known.map(|known| known.filter(|known| known.has_all_families(node, conf))),
    };
    if let Some(known) = known()? {
        return Ok(known);
    }
    let (_lock, left) = lock(folder, registry.policy().patience).await?;
    match known()? {
        Some(known) => Ok(known),
        None => renew_locked(registry, folder, node, machine, left, AT_ONCE).await,
    }
}

/// Brings the file and the registry together, whatever the file says: the registry may have been
/// wiped or restored, or give this node a subnet that the file does not know of.
///
/// The node's name is held (see [`Registry::register`]), claims that the registry has for the node
/// are adopted, those that only the file has are made again unless another node has them by now,
/// and what is missing is claimed. A damaged file is written anew; while the registry is away it
/// stays as it is, and the error names it. What others have by now is taken off the file even if
/// the name is taken or nothing can be claimed instead.
pub async fn renew(
    registry: &Registry,
    folder: &Path,
    node: &NodeName,
    machine: &str,
) -> Result<Owned, Error> {
    renew_under_lock(registry, folder, node, machine, AT_ONCE).await
}

/// As [`renew`], with subnets that are lost taken off the file [`UnderLedgerLock`].
pub async fn renew_under_lock(
    registry: &Registry,
    folder: &Path,
    node: &NodeName,
    machine: &str,
    in_peace: UnderLedgerLock<'_>,
) -> Result<Owned, Error> {
    let (_lock, left) = lock(folder, registry.policy().patience).await?;
    renew_locked(registry, folder, node, machine, left, in_peace).await
}

async fn renew_locked(
    registry: &Registry,
    folder: &Path,
    node: &NodeName,
    machine: &str,
    patience: Duration,
    in_peace: UnderLedgerLock<'_>,
) -> Result<Owned, Error> {
    let (known, damage) = match Owned::load(folder) {
        Ok(known) => (known.filter(|known| known.node == *node), None),
        Err(Error::CorruptFile { path, why }) => (None, Some((path, why))),
        Err(error) => return Err(error),
    };
    let keep = known.as_ref().map_or(&[][..], |known| &known.subnets);
    let me = Claimant {
        node,
        machine,
        addresses: None,
    };
    let acquired = registry.acquire(me, Goal::Subnets { keep }, patience).await;
    shortage::record(
        folder,
        &lacking(registry.network(), keep),
        acquired.as_ref().err(),
    );
    let (outcome, refusal) = match acquired {
        Ok(outcome) => (outcome, None),
        Err(taken @ Error::NodeTaken { .. }) => {
            if let Some(known) = known.filter(|known| !known.subnets.is_empty()) {
                // The other machine hands out from them.
                reconcile_file(folder, Some(&known), &known.empty(), in_peace)?;
            }
            return Err(taken);
        }
        Err(exhausted @ Error::Exhausted { .. }) => {
            // Whatever there is not, those that others have are not handed out from any more.
            let kept = registry.acquire(me, Goal::Kept { keep }, patience).await?;
            (kept, Some(exhausted))
        }
        Err(error) => return Err(with_damaged_file(damage, error)),
    };
    if let Some((path, why)) = damage {
        tracing::warn!("{} was unusable ({why}); written anew", path.display());
    }
    if let Registration::TookOver { from } = &outcome.registration {
        let gone = &from.machine_id;
        tracing::warn!("took over the name and the subnets of node {node} from machine {gone}");
    }
    let owned = Owned {
        cluster: outcome.cluster,
        node: node.clone(),
        subnets: in_order(keep, &outcome.subnets),
    };
    reconcile_file(folder, known.as_ref(), &owned, in_peace)?;
    refusal.map_or(Ok(owned), Err)
}

/// The pod CIDRs of which none of `subnets` is.
fn lacking(network: &Network, subnets: &[IpNet]) -> Vec<IpNet> {
    let pod_cidrs = network.pod_cidrs.iter().copied();
    let of = |pod_cidr| move |subnet: &IpNet| network.pod_cidr_of(subnet) == Some(pod_cidr);
    pod_cidrs
        .filter(|pod_cidr| !subnets.iter().any(of(*pod_cidr)))
        .collect()
}

/// The error that names the file too, if that is damaged and cannot be written anew either.
fn with_damaged_file(damage: Option<(PathBuf, String)>, error: Error) -> Error {
    match (damage, error) {
        (Some((path, why)), error @ Error::Unreachable { .. }) => {
            let why = format!("{why}; and it cannot be written anew: {}", error.message());
            Error::CorruptFile { path, why }
        }
        (_, error) => error,
    }
}

/// Writes down what the node owns, where that is not what was `known`, and says what it lost.
fn reconcile_file(
    folder: &Path,
    known: Option<&Owned>,
    owned: &Owned,
    in_peace: UnderLedgerLock<'_>,
) -> Result<(), Error> {
    let keep = known.map_or(&[][..], |known| &known.subnets);
    let is_lost = |subnet: &&IpNet| !owned.subnets.contains(subnet);
    let lost: Vec<_> = keep.iter().filter(is_lost).collect();
    for subnet in &lost {
        let node = &owned.node;
        tracing::warn!("subnet {subnet} does not belong to node {node} any more");
    }
    if !lost.is_empty() {
        in_peace(&|| owned.store(folder))
    } else if known != Some(owned) {
        owned.store(folder)
    } else {
        Ok(())
    }
}

/// `owned`, those that were `known` before in the order they had, the new ones after them.
fn in_order(known: &[IpNet], owned: &[IpNet]) -> Vec<IpNet> {
    let before = known.iter().filter(|subnet| owned.contains(subnet));
    let new = owned.iter().filter(|subnet| !known.contains(subnet));
    before.chain(new).copied().collect()
}

/// Waits for the lock, not longer than `patience`; with it comes what is left of that.
async fn lock(folder: &Path, patience: Duration) -> Result<(FileLock, Duration), Error> {
    files::make_folder(folder)?;
    let path = folder.join("claim.lock");
    let began = Instant::now();
    loop {
        let left = patience.saturating_sub(began.elapsed());
        match files::try_lock(&path)? {
            Some(lock) => return Ok((lock, left)),
            None if left.is_zero() => {
                return Err(Error::Busy {
                    path,
                    within: patience,
                });
            }
            None => sleep(LOOK_AGAIN.min(left)).await,
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
