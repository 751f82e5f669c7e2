//! Registers this node: keeps its record, its claims and its presence in the registry.
//!
//! This is a task of its own, because it waits for etcd, which the event loop must not do. The loop
//! requests a registration ([`DesiredRegistration`]); the task retries until it succeeds, and
//! reports the result ([`Outcome`]).

pub(crate) mod absence;
pub(crate) mod forget_after;
pub(crate) mod forget_task;
mod presence;
mod registration;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use registry::owned::{self, NodeClaims, Owned};
use registry::{
    Backoff, Error, NodeRecord, Policy, Presence, PresenceHandle, PresenceState, Registration,
    Registry,
};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::timeout;
use tracing::{error, info, warn};
use wire::clock::unix_seconds;
use wire::conf::IpamConfig;
use wire::node::{MachineId, NodeName};

pub(crate) use registration::DesiredRegistration;

use crate::addresses::ledger;
use crate::log::OnChange;

/// Between attempts to join the network.
const JOIN_RETRY_BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(500),
    most: Duration::from_secs(10),
};

/// Shorter absences are not logged: the `routed` of a node is restarted now and then, and those of
/// all nodes in an upgrade.
const ABSENCE_LOG_DELAY: Duration = Duration::from_secs(15);

/// What the task reports.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The registry has this node's record, and these are its claims.
    Joined(Owned),
    /// Other nodes have some of this node's subnets; these are left.
    SubnetsLost(Owned),
    /// Joining has failed so far, for this reason. The task tries again.
    Delayed(String),
    /// Whether peers can see that this node is alive.
    Presence(PresenceState),
    /// Joining cannot succeed until the configuration is changed.
    ConfigRejected(Error),
}

/// The task.
pub(crate) struct Membership {
    conf: IpamConfig,
    folder: PathBuf,
    policy: Policy,
    node: NodeName,
    machine: MachineId,
    registry: Arc<Registry>,
    /// The record that the registry was last asked to hold.
    record: Option<NodeRecord>,
    /// When the daemon started, in seconds since 1970.
    since: u64,
    has_joined: bool,
    /// Notified when the request that is under way was made again.
    retry_now: Arc<Notify>,
    presence: Option<(NodeRecord, PresenceHandle)>,
    failure: OnChange,
    stranded: OnChange,
}

impl Membership {
    /// `registry` is the one that `conf` names, and `subnets.json` is in `folder`.
    pub(crate) fn new(
        conf: IpamConfig,
        folder: PathBuf,
        policy: Policy,
        node: NodeName,
        machine: MachineId,
        registry: Arc<Registry>,
    ) -> Self {
        Self {
            conf,
            folder,
            policy,
            node,
            machine,
            registry,
            record: None,
            since: unix_seconds(),
            has_joined: false,
            retry_now: Arc::default(),
            presence: None,
            failure: OnChange::default(),
            stranded: OnChange::default(),
        }
    }

    /// Handles requests until their sender is dropped; then withdraws the presence.
    pub(crate) async fn run(
        mut self,
        mut requests: watch::Receiver<Option<DesiredRegistration>>,
        outcomes: mpsc::Sender<Outcome>,
    ) {
        while requests.changed().await.is_ok() {
            let Some(desired) = requests.borrow_and_update().clone() else {
                continue;
            };
            let Some(outcome) = self
                .register_unless_replaced(&desired, &mut requests, &outcomes)
                .await
            else {
                continue;
            };
            if outcomes.send(outcome).await.is_err() {
                break;
            }
        }
        if let Some((_, handle)) = self.presence {
            handle.stop().await;
        }
    }

    /// Handles one request. Returns `None` if a different request replaced it, or if the sender is
    /// gone; every step may be interrupted. The same request again does not interrupt the one under
    /// way: it may only be the echo of this node's own writes, and a reply that is just arriving
    /// (that the node was forgotten, say) would be lost for good.
    async fn register_unless_replaced(
        &mut self,
        desired: &DesiredRegistration,
        requests: &mut watch::Receiver<Option<DesiredRegistration>>,
        outcomes: &mpsc::Sender<Outcome>,
    ) -> Option<Outcome> {
        let retry_now = Arc::clone(&self.retry_now);
        let mut registering = Box::pin(self.register(desired, outcomes));
        let mut is_requested_again = false;
        let outcome = loop {
            tokio::select! {
                outcome = &mut registering => break Some(outcome),
                changed = requests.changed() => {
                    changed.ok()?;
                    is_requested_again = true;
                    if requests.borrow().as_ref().is_none_or(|newer| !newer.same_request(desired)) {
                        break None;
                    }
                    retry_now.notify_one();
                }
            }
        };
        if is_requested_again {
            requests.mark_changed();
        }
        outcome
    }

    async fn register(
        &mut self,
        desired: &DesiredRegistration,
        outcomes: &mpsc::Sender<Outcome>,
    ) -> Outcome {
        match self.join_with_retries(desired, outcomes).await {
            Ok(owned) => {
                self.has_joined = true;
                self.start_presence(&desired.record, outcomes).await;
                Outcome::Joined(owned)
            }
            Err(error) => Outcome::ConfigRejected(error),
        }
    }

    async fn join_with_retries(
        &mut self,
        desired: &DesiredRegistration,
        outcomes: &mpsc::Sender<Outcome>,
    ) -> Result<Owned, Error> {
        let before = self.record.replace(desired.record.clone());
        if before.is_some_and(|before| before != desired.record) {
            // A connection from an address that is gone would only time out.
            let registry = Registry::open_with(&self.conf, &self.folder, self.policy)?;
            self.registry = Arc::new(registry);
        }
        let mut failures = 0;
        loop {
            match self.join(desired, outcomes).await {
                Ok(owned) => {
                    if self.failure.clear() {
                        let node = &self.node;
                        info!(%node, "node {node} joined the network after all");
                    }
                    return Ok(owned);
                }
                Err(error) if !self.has_joined && is_config_error(&error) => return Err(error),
                Err(error) => {
                    let text = error.to_string();
                    if self.failure.changed(registration::dedup_key(&error, &text)) {
                        let node = &self.node;
                        warn!(%node, %error, "node {node} cannot join the network yet: {text}");
                        // If the channel is full, newer outcomes are under way.
                        drop(outcomes.try_send(Outcome::Delayed(text)));
                    }
                }
            }
            failures += 1;
            let pause = JOIN_RETRY_BACKOFF.pause(failures);
            // A repeated request means that the registry is in reach again.
            drop(timeout(pause, self.retry_now.notified()).await);
        }
    }

    async fn join(
        &mut self,
        desired: &DesiredRegistration,
        outcomes: &mpsc::Sender<Outcome>,
    ) -> Result<Owned, Error> {
        if !desired.lost.is_empty() {
            for (subnet, owner) in &desired.lost {
                let node = &self.node;
                error!(
                    %node,
                    %subnet,
                    peer = %owner,
                    "subnet {subnet} belongs to node {owner} now: node {node} hands out no more \
                     addresses from it"
                );
            }
            // First of all: whatever fails later, no more addresses of these are allocated.
            self.disown(|subnet| desired.lost.contains_key(subnet), outcomes)
                .await?;
        }
        let registration = match self.registry.register(&self.node, &desired.record).await {
            Err(taken @ Error::NodeTaken { .. }) => {
                // The other machine allocates from this node's subnets too.
                self.disown(|_| true, outcomes).await?;
                return Err(taken);
            }
            registration => registration?,
        };
        registration::log_registration(&self.node, &self.folder, &registration, &desired.record)?;
        let is_new = matches!(
            registration,
            Registration::New | Registration::TookOver { .. }
        );
        if let Some((_, before)) = self.presence.take_if(|_| is_new) {
            // The registry deleted it with the old record.
            before.stop().await;
        }
        let network = self.conf.network.as_str();
        let under_lock: owned::UnderLedgerLock<'_> =
            &|change| ledger::under_ledger_lock(network, change);
        let owned = self.claims().renew_under_lock(under_lock).await?;
        self.log_stranded(&owned);
        Ok(owned)
    }

    fn claims(&self) -> NodeClaims<'_> {
        NodeClaims {
            registry: &self.registry,
            folder: &self.folder,
            node: &self.node,
            machine: self.machine.as_str(),
        }
    }

    /// Removes the `lost` subnets from `subnets.json`, so that no more addresses of them are
    /// allocated. Needs no registry.
    async fn disown(
        &mut self,
        lost: impl Fn(&IpNet) -> bool,
        outcomes: &mpsc::Sender<Outcome>,
    ) -> Result<(), Error> {
        let network = self.conf.network.as_str();
        let under_lock: owned::UnderLedgerLock<'_> =
            &|change| ledger::under_ledger_lock(network, change);
        let lock_timeout = Policy::default().operation_timeout;
        let left = self.claims().disown(lock_timeout, lost, under_lock).await?;
        if let Some(owned) = left {
            self.log_stranded(&owned);
            // If the channel is full, the loop reads the file later.
            drop(outcomes.try_send(Outcome::SubnetsLost(owned)));
        }
        Ok(())
    }

    fn log_stranded(&mut self, owned: &Owned) {
        match ledger::stranded_pods(&self.conf.network, &owned.subnets) {
            None => drop(self.stranded.clear()),
            Some(text) => {
                if self.stranded.changed(&text) {
                    error!(node = %self.node, "{text}");
                }
            }
        }
    }

    async fn start_presence(&mut self, record: &NodeRecord, outcomes: &mpsc::Sender<Outcome>) {
        if self
            .presence
            .as_ref()
            .is_some_and(|(shown, _)| shown == record)
        {
            return;
        }
        if let Some((_, before)) = self.presence.take() {
            before.stop().await;
        }
        let presence = Presence {
            session: presence::session(),
            address: record.addresses.first().copied(),
            version: wire::VERSION.to_owned(),
            since: Some(self.since),
        };
        let machine = self.machine.as_str();
        let handle = self.registry.keep_presence(&self.node, machine, presence);
        let (node, state) = (self.node.clone(), handle.state());
        tokio::spawn(presence::report_state(node, state, outcomes.clone()));
        self.presence = Some((record.clone(), handle));
    }
}

/// Whether retrying is useless until the configuration is changed.
fn is_config_error(error: &Error) -> bool {
    matches!(error, Error::Mismatch { .. } | Error::Config { .. })
}
