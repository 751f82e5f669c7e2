//! The registry of one network, in one of its backends.
//!
//! A new backend is one file (like `local.rs`) or one folder (like `etcd/`), declared in `lib.rs`. In
//! this file it needs a variant of `Backend`, a case in `Registry::open_with`, and one arm in each
//! `match`. The key of the conflist that selects it is in `wire/src/conf/ipam.rs`, and documented by
//! `routed/src/cli/reference/conflist.rs`. The decisions in `protocol` are shared by all backends.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::mpsc;
use wire::conf::IpamConfig;
use wire::node::NodeName;
use wire::paths::{run_dir, state_dir};

use crate::error::Error;
use crate::etcd::EtcdRegistry;
use crate::kubernetes::KubernetesRegistry;
use crate::liveness::{Absent, Census, Forget, Forgotten, PresenceHandle};
use crate::local::LocalRegistry;
use crate::policy::Policy;
use crate::protocol::{Acquired, Claimant, Goal, Registration};
use crate::records::{Network, NodeRecord, Presence};
use crate::session::Session;
use crate::snapshot::{RegistryEvent, Snapshot};

/// The registry of one network.
#[derive(Debug)]
pub struct Registry {
    network: Network,
    policy: Policy,
    session: Option<Arc<Session>>,
    backend: Backend,
}

#[derive(Debug)]
enum Backend {
    Etcd(Arc<EtcdRegistry>),
    Kubernetes(Arc<KubernetesRegistry>),
    Local(LocalRegistry),
}

impl Registry {
    /// Opens the registry that the configuration names, with the default [`Policy`]. Connects only
    /// with the first request, so that this works while etcd is down.
    pub fn open(conf: &IpamConfig) -> Self {
        Self::open_with(conf, &state_dir(&conf.network), Policy::default())
    }

    /// Like [`Registry::open`], with the given folder of the local registry and the given policy.
    pub fn open_with(conf: &IpamConfig, folder: &Path, policy: Policy) -> Self {
        let network = Network::from(conf);
        let backend = match (&conf.etcd, &conf.kubernetes) {
            (Some(etcd), _) => {
                Backend::Etcd(Arc::new(EtcdRegistry::new(conf, etcd, &network, policy)))
            }
            (None, Some(section)) => {
                Backend::Kubernetes(Arc::new(KubernetesRegistry::new(conf, section)))
            }
            (None, None) => Backend::Local(LocalRegistry::new(folder, &network, &conf.exclude)),
        };
        Self {
            network,
            policy,
            session: None,
            backend,
        }
    }

    /// Like [`Registry::open_with`], for a program of a node: it writes as this machine, in the
    /// session that is stored in the network's folder in `/run`.
    pub fn open_on_node(conf: &IpamConfig, folder: &Path, policy: Policy) -> Result<Self, Error> {
        let session = Session::load(&run_dir(&conf.network))?;
        Ok(Self::open_with(conf, folder, policy).in_session(Arc::new(session)))
    }

    /// Makes this the registry of a machine in this session. Without, it is for callers that are
    /// no part of a node.
    #[must_use]
    pub fn in_session(self, session: Arc<Session>) -> Self {
        Self {
            session: Some(session),
            ..self
        }
    }

    /// The record of this machine, still without addresses.
    pub fn own_record(&self, machine: &str) -> NodeRecord {
        NodeRecord {
            addresses: Vec::new(),
            machine_id: machine.to_owned(),
            session: self.session.as_ref().map(|it| it.id().to_owned()),
        }
    }

    /// The session of this machine.
    pub fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    /// The network as this node's conflist describes it.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Whether this is the local registry, which has one node and no other writers.
    pub fn is_local(&self) -> bool {
        matches!(self.backend, Backend::Local(_))
    }

    /// Whether Kubernetes gives nodes their subnets, and nothing is claimed.
    pub fn is_kubernetes(&self) -> bool {
        matches!(self.backend, Backend::Kubernetes(_))
    }

    /// Registers this machine as `node`; writes only what changed. Returns [`Error::NodeTaken`]
    /// while another machine of that name is present. Once that machine is absent, this one takes
    /// over the name.
    pub async fn register(
        &self,
        node: &NodeName,
        record: &NodeRecord,
    ) -> Result<Registration, Error> {
        let claimant = Claimant {
            addresses: Some(&record.addresses),
            ..self.claimant(node, &record.machine_id)
        };
        Ok(self
            .acquire(claimant, Goal::Name, self.policy.operation_timeout)
            .await?
            .registration)
    }

    /// Claims one more subnet of `pod_cidr` for `node`. `machine` must hold that name, or be able
    /// to take it over. One transaction, conditional on `config`, on the node's record and on the
    /// subnet being free.
    pub async fn claim(
        &self,
        node: &NodeName,
        machine: &str,
        pod_cidr: &IpNet,
    ) -> Result<IpNet, Error> {
        let goal = Goal::Further {
            pod_cidr,
            known: None,
        };
        let limit = self.policy.operation_timeout;
        let outcome = self
            .acquire(self.claimant(node, machine), goal, limit)
            .await?;
        Ok(*outcome.subnets.first().expect("Goal::Further has a subnet"))
    }

    /// Gives a subnet back; does nothing if the subnet has no owner. Returns [`Error::NotOwned`] if
    /// another node owns it, [`Error::NodeTaken`] if another machine has become `node`.
    pub async fn release(
        &self,
        node: &NodeName,
        machine: &str,
        subnet: &IpNet,
    ) -> Result<(), Error> {
        let claimant = self.claimant(node, machine);
        match &self.backend {
            Backend::Etcd(etcd) => etcd.release(claimant, subnet).await,
            Backend::Kubernetes(_) => Err(Error::kubernetes_decides()),
            Backend::Local(local) => local.release(claimant, subnet),
        }
    }

    /// Deletes the record, the claims and the presence of `node`; watchers see the claims go.
    /// Unless `force`, does nothing while the node is present. Up to 100 claims go in one
    /// transaction. If it is interrupted between several transactions, it can be repeated.
    pub async fn forget(&self, node: &NodeName, force: bool) -> Result<Forget, Error> {
        match &self.backend {
            Backend::Etcd(etcd) => etcd.forget(node, force).await,
            Backend::Kubernetes(_) => Err(Error::kubernetes_decides()),
            Backend::Local(local) => local.forget(node),
        }
    }

    /// The registered node that is present and first by name. Always `None` without etcd.
    pub async fn first_present(&self) -> Result<Option<NodeName>, Error> {
        match &self.backend {
            Backend::Etcd(etcd) => etcd.first_present().await,
            Backend::Local(_) | Backend::Kubernetes(_) => Ok(None),
        }
    }

    /// Which nodes are present and which are absent. In the local registry no node is either.
    pub async fn census(&self) -> Result<Census, Error> {
        match &self.backend {
            Backend::Etcd(etcd) => etcd.census().await,
            Backend::Local(_) | Backend::Kubernetes(_) => Ok(Census::default()),
        }
    }

    /// Writes that `node` has been absent for `seconds`, if nothing changed since `absent` was
    /// read. Returns the revision, or `None` if nothing was written. The key is deleted when the
    /// node is present.
    pub async fn count_absence(
        &self,
        node: &NodeName,
        absent: &Absent,
        seconds: u64,
    ) -> Result<Option<i64>, Error> {
        match &self.backend {
            Backend::Etcd(etcd) => etcd.count_absence(node, absent, seconds).await,
            Backend::Local(_) | Backend::Kubernetes(_) => Ok(None),
        }
    }

    /// Like [`Registry::forget`], if nothing changed since `absent` was read and no other node was
    /// forgotten this way within its `pause`. Starts a new `pause`, in whole seconds. Returns
    /// `None` if the node was not forgotten.
    pub async fn forget_absent(
        &self,
        node: &NodeName,
        absent: &Absent,
        pause: Duration,
    ) -> Result<Option<Forgotten>, Error> {
        match &self.backend {
            Backend::Etcd(etcd) => etcd.forget_absent(node, absent, pause).await,
            Backend::Local(_) | Backend::Kubernetes(_) => Ok(None),
        }
    }

    /// Shows all watchers that `subnet` has no owner, in case they missed the end of its claim:
    /// claims it in the name of `node`, which must not be registered, and gives it back. Returns
    /// `false` without any change if the subnet has an owner or the node is registered. If it is
    /// interrupted in between, it can be repeated.
    pub async fn disclaim(&self, node: &NodeName, subnet: &IpNet) -> Result<bool, Error> {
        match &self.backend {
            Backend::Etcd(etcd) => etcd.disclaim(node, subnet).await,
            Backend::Kubernetes(_) => Err(Error::kubernetes_decides()),
            Backend::Local(_) => Ok(false),
        }
    }

    /// The whole registry at one revision.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        match &self.backend {
            Backend::Etcd(etcd) => etcd.snapshot().await,
            Backend::Kubernetes(kubernetes) => kubernetes.snapshot().await,
            Backend::Local(local) => local.snapshot(),
        }
    }

    /// The snapshot of the registry, then its changes, until the receiver is dropped; see
    /// [`RegistryEvent`]. The local registry sends its snapshot once, or why it cannot be read.
    pub fn watch(&self) -> mpsc::Receiver<RegistryEvent> {
        match &self.backend {
            Backend::Etcd(etcd) => Arc::clone(etcd).watch_loop(),
            Backend::Kubernetes(kubernetes) => Arc::clone(kubernetes).watch_loop(),
            Backend::Local(local) => local.watch(),
        }
    }

    /// Keeps the presence of `node` in the registry until the handle is stopped or dropped. The
    /// local registry stores no presence.
    pub fn keep_presence(
        &self,
        node: &NodeName,
        machine: &str,
        presence: Presence,
    ) -> PresenceHandle {
        match &self.backend {
            Backend::Etcd(etcd) => {
                Arc::clone(etcd).present(node, machine, self.session.clone(), presence)
            }
            Backend::Local(_) | Backend::Kubernetes(_) => PresenceHandle::without_lease(),
        }
    }

    /// The error that the registry did not answer in time.
    pub fn unreachable(&self, why: String) -> Error {
        match &self.backend {
            Backend::Etcd(etcd) => etcd.unreachable(why),
            Backend::Kubernetes(kubernetes) => kubernetes.unreachable(why),
            Backend::Local(_) => Error::Unreachable {
                endpoints: Vec::new(),
                within: self.policy.operation_timeout,
                why,
            },
        }
    }

    /// The time-outs and retries of this registry.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// This machine as `node`, which it holds or may take over.
    pub(crate) fn claimant<'a>(&'a self, node: &'a NodeName, machine: &'a str) -> Claimant<'a> {
        Claimant {
            node,
            machine,
            session: self.session.as_deref(),
            addresses: None,
        }
    }

    pub(crate) async fn acquire(
        &self,
        claimant: Claimant<'_>,
        goal: Goal<'_>,
        time_limit: Duration,
    ) -> Result<Acquired, Error> {
        let acquired = match &self.backend {
            Backend::Etcd(etcd) => etcd.acquire(claimant, goal, time_limit).await,
            Backend::Kubernetes(kubernetes) => kubernetes.acquire(claimant, goal, time_limit).await,
            Backend::Local(local) => local.acquire(claimant, goal),
        }?;
        if let Some(session) = &self.session {
            session.mark_held()?;
        }
        Ok(acquired)
    }
}
