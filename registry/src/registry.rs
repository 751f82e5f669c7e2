//! The registry of one network, wherever it is kept.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::mpsc;
use wire::conf::IpamConfig;
use wire::node::NodeName;
use wire::paths::state_dir;

use crate::error::Error;
use crate::etcd::Etcd;
use crate::liveness::{Absent, Census, Forget, Forgotten, PresenceHandle};
use crate::local::Local;
use crate::policy::Policy;
use crate::protocol::{Acquired, Claimant, Goal, Registration};
use crate::records::{Network, NodeRecord, Presence};
use crate::snapshot::{Event, Snapshot};

/// The registry of one network: in etcd, or for a single node in a file.
#[derive(Debug)]
pub struct Registry {
    network: Network,
    policy: Policy,
    backend: Backend,
}

#[derive(Debug)]
enum Backend {
    Etcd(Arc<Etcd>),
    Local(Local),
}

impl Registry {
    /// The registry that the configuration names, with the [`Policy`] of a program that somebody
    /// waits for. Nothing is connected yet, so that this works while etcd is away.
    pub fn open(conf: &IpamConfig) -> Result<Self, Error> {
        Self::open_with(conf, &state_dir(&conf.network), Policy::default())
    }

    /// As [`Registry::open`], with the folder of the local registry and the policy given.
    pub fn open_with(conf: &IpamConfig, folder: &Path, policy: Policy) -> Result<Self, Error> {
        let network = Network::from(conf);
        let backend = match &conf.etcd {
            Some(etcd) => Backend::Etcd(Arc::new(Etcd::new(conf, etcd, &network, policy))),
            None => Backend::Local(Local::new(folder, &network, &conf.exclude)),
        };
        Ok(Self {
            network,
            policy,
            backend,
        })
    }

    /// The network as this node's conflist has it.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Whether this is the local registry: there is one node, and nobody else writes to it.
    pub fn is_local(&self) -> bool {
        matches!(self.backend, Backend::Local(_))
    }

    /// Makes sure that the network's nodes mean the same network: writes `config` if it is absent,
    /// else compares. [`Error::Mismatch`] has both values. All that writes does this by itself.
    pub async fn agree(&self) -> Result<(), Error> {
        match &self.backend {
            Backend::Etcd(etcd) => etcd.agree().await,
            Backend::Local(local) => local.agree(),
        }
    }

    /// Registers this machine as `node`; writes only what changed. [`Error::NodeTaken`] while
    /// another machine of that name is present; once it is not, the name is taken over.
    pub async fn register(
        &self,
        node: &NodeName,
        record: &NodeRecord,
    ) -> Result<Registration, Error> {
        let me = Claimant {
            node,
            machine: &record.machine_id,
            addresses: Some(&record.addresses),
        };
        Ok(self
            .acquire(me, Goal::Name, self.policy.patience)
            .await?
            .registration)
    }

    /// Claims one more subnet of `pod_cidr` for `node`, which `machine` must hold or may take: one
    /// transaction that rests on `config`, on the node's record and on the subnet being free.
    pub async fn claim(
        &self,
        node: &NodeName,
        machine: &str,
        pod_cidr: &IpNet,
    ) -> Result<IpNet, Error> {
        let me = Claimant {
            node,
            machine,
            addresses: None,
        };
        let want = Goal::Further {
            pod_cidr,
            known: None,
        };
        let outcome = self.acquire(me, want, self.policy.patience).await?;
        Ok(*outcome
            .subnets
            .first()
            .expect("a further subnet was asked for"))
    }

    /// Gives a subnet back; nothing happens if nobody owns it. [`Error::NotOwned`] if another node
    /// does, [`Error::NodeTaken`] if another machine has become `node`.
    pub async fn release(
        &self,
        node: &NodeName,
        machine: &str,
        subnet: &IpNet,
    ) -> Result<(), Error> {
        let me = Claimant {
            node,
            machine,
            addresses: None,
        };
        match &self.backend {
            Backend::Etcd(etcd) => etcd.release(me, subnet).await,
            Backend::Local(local) => local.release(me, subnet),
        }
    }

    /// Takes all that `node` has: its record, its claims, its presence, so that everybody sees its
    /// claims go. Unless `force`, nothing happens while the node is present. In one transaction as
    /// long as it has up to 100 claims; may be repeated if it is cut between several.
    pub async fn forget(&self, node: &NodeName, force: bool) -> Result<Forget, Error> {
        match &self.backend {
            Backend::Etcd(etcd) => etcd.forget(node, force).await,
            Backend::Local(local) => local.forget(node),
        }
    }

    /// Of the registered nodes that are present the one whose name comes first. The local registry
    /// has none.
    pub async fn first_present(&self) -> Result<Option<NodeName>, Error> {
        match &self.backend {
            Backend::Etcd(etcd) => etcd.first_present().await,
            Backend::Local(_) => Ok(None),
        }
    }

    /// Who is present and who is absent. In the local registry nobody ever is.
    pub async fn census(&self) -> Result<Census, Error> {
        match &self.backend {
            Backend::Etcd(etcd) => etcd.census().await,
            Backend::Local(_) => Ok(Census::default()),
        }
    }

    /// Writes that so many seconds of the absence of `node` count, if all is as `absent` says; at
    /// which revision, or `None` if nothing was written. It goes when the node is present.
    pub async fn count_absence(
        &self,
        node: &NodeName,
        absent: &Absent,
        seconds: u64,
    ) -> Result<Option<i64>, Error> {
        match &self.backend {
            Backend::Etcd(etcd) => etcd.count_absence(node, absent, seconds).await,
            Backend::Local(_) => Ok(None),
        }
    }

    /// As [`Registry::forget`], if all is as `absent` says, and if nobody else was forgotten in
    /// this way for as long as was said then; this time that is `pause`, in whole seconds. `None`
    /// if the node was not forgotten.
    pub async fn forget_absent(
        &self,
        node: &NodeName,
        absent: &Absent,
        pause: Duration,
    ) -> Result<Option<Forgotten>, Error> {
        match &self.backend {
            Backend::Etcd(etcd) => etcd.forget_absent(node, absent, pause).await,
            Backend::Local(_) => Ok(None),
        }
    }

    /// Shows all who follow the registry that nobody owns `subnet`, although they may have missed
    /// how its claim went: claims it in the name of `node`, which must not be registered, and gives
    /// it back. Returns `false`, and nothing happens, if somebody owns it or the node is
    /// registered. May be repeated if it is cut in between.
    pub async fn disclaim(&self, node: &NodeName, subnet: &IpNet) -> Result<bool, Error> {
        match &self.backend {
            Backend::Etcd(etcd) => etcd.disclaim(node, subnet).await,
            Backend::Local(_) => Ok(false),
        }
    }

    /// The whole registry at one revision.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        match &self.backend {
            Backend::Etcd(etcd) => etcd.snapshot().await,
            Backend::Local(local) => local.snapshot(),
        }
    }

    /// The registry and what happens to it, until the receiver is dropped. See [`Event`] for what
    /// comes when. The local registry says all that it has once, or why it cannot be read.
    pub fn watch(&self) -> mpsc::Receiver<Event> {
        match &self.backend {
            Backend::Etcd(etcd) => Arc::clone(etcd).watch_loop(),
            Backend::Local(local) => local.watch(),
        }
    }

    /// Keeps the node's presence in the registry until the handle is stopped or dropped. The local
    /// registry has none to keep.
    pub fn keep_presence(
        &self,
        node: &NodeName,
        machine: &str,
        presence: Presence,
    ) -> PresenceHandle {
        match &self.backend {
            Backend::Etcd(etcd) => Arc::clone(etcd).present(node, machine, presence),
            Backend::Local(_) => PresenceHandle::without_lease(),
        }
    }

    /// How this registry behaves in time.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) async fn acquire(
        &self,
        me: Claimant<'_>,
        want: Goal<'_>,
        patience: Duration,
    ) -> Result<Acquired, Error> {
        match &self.backend {
            Backend::Etcd(etcd) => etcd.acquire(me, want, patience).await,
            Backend::Local(local) => local.acquire(me, want),
        }
    }
}
