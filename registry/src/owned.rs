//! The subnets this node owns, as it remembers them across reboots and without etcd.

use std::path::{Path, PathBuf};

use ipnet::IpNet;
use nix::fcntl::Flock;
use serde::{Deserialize, Serialize};
use wire::conf::IpamConfig;
use wire::node::NodeName;

use crate::error::Error;
use crate::files;
use crate::protocol::{Me, Registration, Want};
use crate::records::Network;
use crate::registry::Registry;

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
    /// In order of the pod CIDRs, then of the address.
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

    /// Whether `node` needs nothing of the registry to serve this network: a subnet of each pod
    /// CIDR is there.
    pub fn is_enough(&self, node: &NodeName, conf: &IpamConfig) -> bool {
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
/// The registry is asked only if the file does not say so already. Then the node's name is held
/// (see [`Registry::register`]), claims that the registry has for the node are adopted, those that
/// only the file has are made again unless another node has them by now, and what is missing is
/// claimed. Several processes may do this at once; one of them does the work.
pub async fn ensure(
    registry: &Registry,
    folder: &Path,
    node: &NodeName,
    machine: &str,
    conf: &IpamConfig,
) -> Result<Owned, Error> {
    let _lock = lock(folder).await?;
    match Owned::load(folder) {
        Ok(Some(known)) if known.is_enough(node, conf) => Ok(known),
        known => ask(registry, folder, node, machine, known).await,
    }
}

/// As [`ensure`], but the registry is asked whatever the file says: it may have been wiped or
/// restored, or give this node a subnet that the file does not know of.
pub async fn renew(
    registry: &Registry,
    folder: &Path,
    node: &NodeName,
    machine: &str,
) -> Result<Owned, Error> {
    let _lock = lock(folder).await?;
    ask(registry, folder, node, machine, Owned::load(folder)).await
}

async fn ask(
    registry: &Registry,
    folder: &Path,
    node: &NodeName,
    machine: &str,
    known: Result<Option<Owned>, Error>,
) -> Result<Owned, Error> {
    let me = Me {
        node,
        machine,
        addresses: None,
    };
    let known = match known {
        Err(Error::CorruptFile { path, why }) => {
            return mend(registry, folder, me, path, why).await;
        }
        known => known?.filter(|known| known.node == *node),
    };
    let keep = known.map(|known| known.subnets).unwrap_or_default();
    acquire(registry, folder, me, &keep).await
}

/// Writes a damaged file anew from the registry.
async fn mend(
    registry: &Registry,
    folder: &Path,
    me: Me<'_>,
    path: PathBuf,
    why: String,
) -> Result<Owned, Error> {
    match acquire(registry, folder, me, &[]).await {
        Ok(owned) => {
            tracing::warn!("{} was unusable ({why}): written anew", path.display());
            Ok(owned)
        }
        Err(error @ Error::Unreachable { .. }) => {
            let why = format!("{why}; and it cannot be written anew: {}", error.message());
            Err(Error::CorruptFile { path, why })
        }
        Err(error) => Err(error),
    }
}

async fn acquire(
    registry: &Registry,
    folder: &Path,
    me: Me<'_>,
    keep: &[IpNet],
) -> Result<Owned, Error> {
    let outcome = registry.acquire(me, Want::Subnets { keep }).await?;
    if let Registration::TookOver { from } = &outcome.registration {
        let (node, gone) = (me.node, &from.machine_id);
        tracing::warn!("took over the name and the subnets of node {node} from machine {gone}");
    }
    for lost in keep
        .iter()
        .filter(|subnet| !outcome.subnets.contains(subnet))
    {
        tracing::warn!(
            "subnet {lost} of node {} belongs to another node by now",
            me.node
        );
    }
    let owned = Owned {
        cluster: outcome.cluster,
        node: me.node.clone(),
        subnets: outcome.subnets,
    };
    owned.store(folder)?;
    Ok(owned)
}

async fn lock(folder: &Path) -> Result<Flock<std::fs::File>, Error> {
    files::make_folder(folder)?;
    let path = folder.join("claim.lock");
    // Another process may hold it while it waits for etcd: this must not stop other tasks.
    tokio::task::spawn_blocking(move || files::lock(&path))
        .await
        .unwrap_or_else(|panic| Err(Error::io("lock", folder)(std::io::Error::other(panic))))
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
