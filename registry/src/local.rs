//! The local registry: a file, for a network of one node without etcd.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use wire::node::NodeName;

use crate::error::Error;
use crate::files;
use crate::liveness::{Forget, Forgotten};
use crate::protocol::{
    self, Acquired, Attempts, ClaimView, Claimant, Claimed, Goal, NextStep, Registration,
    RegistryView,
};
use crate::records::{Claim, Network, NodeRecord};
use crate::snapshot::{RegistryEvent, Snapshot};

/// `registry.json` in the network's folder, locked by `registry.lock` beside it.
#[derive(Debug)]
pub(crate) struct LocalRegistry {
    folder: PathBuf,
    network: Network,
    exclude: Vec<IpNet>,
}

/// The file's content: the same records as in etcd, without presence.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct LocalFile {
    revision: i64,
    config: Option<Network>,
    #[serde(default)]
    nodes: BTreeMap<NodeName, NodeRecord>,
    #[serde(default)]
    subnets: BTreeMap<IpNet, Claim>,
}

impl LocalRegistry {
    pub(crate) fn new(folder: &Path, network: &Network, exclude: &[IpNet]) -> Self {
        Self {
            folder: folder.to_owned(),
            network: network.clone(),
            exclude: exclude.to_vec(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join("registry.json")
    }

    /// Runs `change` on the file's content under the lock, and stores the content if `change` says
    /// that it changed.
    fn locked<T>(
        &self,
        change: impl FnOnce(&mut LocalFile) -> Result<(T, bool), Error>,
    ) -> Result<T, Error> {
        files::make_folder(&self.folder)?;
        let _lock = files::lock(&self.folder.join("registry.lock"))?;
        let mut stored: LocalFile = files::read(&self.path())?.unwrap_or_default();
        let (value, changed) = change(&mut stored)?;
        if changed {
            stored.revision += 1;
            files::write(&self.path(), &stored)?;
        }
        Ok(value)
    }

    fn agree_in(&self, stored: &mut LocalFile) -> Result<bool, Error> {
        match &stored.config {
            None => {
                stored.config = Some(self.network.clone());
                Ok(true)
            }
            Some(theirs) if theirs.agrees_with(&self.network) => Ok(false),
            Some(theirs) => Err(Error::Mismatch {
                ours: self.network.clone(),
                theirs: Box::new(theirs.clone()),
                key: self.path().display().to_string(),
            }),
        }
    }

    pub(crate) fn acquire(
        &self,
        claimant: Claimant<'_>,
        goal: Goal<'_>,
    ) -> Result<Acquired, Error> {
        self.locked(|stored| {
            let agreed = self.agree_in(stored)?;
            let view = self.view(stored, claimant.node);
            let commit = match protocol::next_step(&view, claimant, goal, &Attempts::default())? {
                NextStep::Done(subnets) => {
                    return Ok((outcome(subnets, Registration::Unchanged), agreed));
                }
                NextStep::Commit(commit) => commit,
            };
            if let Some(record) = commit.name.write {
                stored.nodes.insert(claimant.node.clone(), record);
            }
            let claim = Claim {
                node: claimant.node.clone(),
            };
            stored
                .subnets
                .extend(commit.claims.iter().map(|subnet| (*subnet, claim.clone())));
            Ok((outcome(commit.outcome, commit.name.registration), true))
        })
    }

    fn view(&self, stored: &LocalFile, node: &NodeName) -> RegistryView {
        RegistryView {
            network: self.network.clone(),
            // Just agreed on, under the lock.
            network_revision: 1,
            node: stored.nodes.get(node).cloned(),
            node_revision: 0,
            presence: None,
            claims: stored
                .subnets
                .iter()
                .map(|(subnet, claim)| (*subnet, claimed(claim)))
                .collect(),
            exclude: self.exclude.clone(),
            cluster: None,
        }
    }

    pub(crate) fn release(&self, claimant: Claimant<'_>, subnet: &IpNet) -> Result<(), Error> {
        self.locked(|stored| {
            let view = ClaimView {
                claim: stored.subnets.get(subnet).map(claimed),
                node: stored.nodes.get(claimant.node).cloned(),
                node_revision: 0,
            };
            let is_owned = protocol::release(&view, claimant, subnet)?.is_some();
            if is_owned {
                stored.subnets.remove(subnet);
            }
            Ok(((), is_owned))
        })
    }

    pub(crate) fn forget(&self, node: &NodeName) -> Result<Forget, Error> {
        self.locked(|stored| {
            let record = stored.nodes.remove(node);
            let claims = stored.subnets.iter();
            let subnets: Vec<_> = claims
                .filter(|(_, claim)| claim.node == *node)
                .map(|(subnet, _)| *subnet)
                .collect();
            stored.subnets.retain(|_, claim| claim.node != *node);
            if record.is_none() && subnets.is_empty() {
                return Ok((Forget::Unknown, false));
            }
            let forgotten = Forgotten {
                record,
                presence: None,
                subnets,
            };
            Ok((Forget::Done(forgotten), true))
        })
    }

    /// Sends the snapshot once; the file has no other writers to watch.
    pub(crate) fn watch(&self) -> mpsc::Receiver<RegistryEvent> {
        let (events, receiver) = mpsc::channel(1);
        let first = match self.snapshot() {
            Ok(snapshot) => RegistryEvent::Reset(snapshot),
            Err(error) => RegistryEvent::Disconnected {
                why: error.to_string(),
            },
        };
        tokio::spawn(async move {
            // A receiver that is already gone needs no event.
            let _ = events.send(first).await;
            events.closed().await;
        });
        receiver
    }

    pub(crate) fn snapshot(&self) -> Result<Snapshot, Error> {
        self.locked(|stored| {
            let stored = std::mem::take(stored);
            let snapshot = Snapshot {
                revision: stored.revision,
                network: stored.config,
                nodes: stored.nodes,
                subnets: stored.subnets,
                ..Snapshot::default()
            };
            Ok((snapshot, false))
        })
    }
}

/// The lock excludes other writers between reading and writing, so revisions do not matter.
fn claimed(claim: &Claim) -> Claimed {
    Claimed {
        owner: Some(claim.node.clone()),
        revision: 0,
    }
}

fn outcome(subnets: Vec<IpNet>, registration: Registration) -> Acquired {
    Acquired {
        subnets,
        registration,
        cluster: None,
    }
}
