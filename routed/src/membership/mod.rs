//! This node's own place in the registry: its record, its claims, its presence.
//!
//! A task of its own, because it waits for etcd and the loop never does. The loop says what it
//! wishes ([`DesiredRegistration`]); the task makes it so, tries for as long as it takes, and tells what came of
//! it ([`Outcome`]).

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

/// Between tries.
const PAUSES: Backoff = Backoff {
    first: Duration::from_millis(500),
    most: Duration::from_secs(10),
};

/// What came of a wish.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The registry has this node's record, and these are its claims.
    Joined(Owned),
    /// Others have some of this node's subnets; it owns no more than these.
    Lost(Owned),
    /// Not yet, because of this. Trying goes on.
    Delayed(String),
    /// Whether peers can see that this node is alive.
    Presence(PresenceState),
    /// It never will as things are: somebody has to change the configuration.
    Hopeless(Error),
}

/// Who joins, and where.
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
    /// The wish that is being fulfilled was made once more.
    again: Arc<Notify>,
    presence: Option<(NodeRecord, PresenceHandle)>,
    trouble: OnChange,
    stranded: OnChange,
}

impl Membership {
    /// `conf` says where `registry` is, and `folder` where the claims are remembered.
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
            again: Arc::default(),
            presence: None,
            trouble: OnChange::default(),
            stranded: OnChange::default(),
        }
    }

    /// Fulfils wishes until there can be no more (the sender is dropped); then withdraws the
    /// presence.
    pub(crate) async fn run(
        mut self,
        mut wishes: watch::Receiver<Option<DesiredRegistration>>,
        news: mpsc::Sender<Outcome>,
    ) {
        while wishes.changed().await.is_ok() {
            let Some(wish) = wishes.borrow_and_update().clone() else {
                continue;
            };
            let Some(outcome) = self
                .register_unless_replaced(&wish, &mut wishes, &news)
                .await
            else {
                continue;
            };
            if news.send(outcome).await.is_err() {
                break;
            }
        }
        if let Some((_, handle)) = self.presence {
            handle.stop().await;
        }
    }

    /// Fulfils a wish. `None` if another took its place, or there can be none any more; what was
    /// begun is safe to leave at any point. The same wish once more does not end what is under way:
    /// this node's own doings come back as news of the registry, and what an answer says that is
    /// just arriving (that the node was forgotten) nobody would hear again.
    async fn register_unless_replaced(
        &mut self,
        wish: &DesiredRegistration,
        wishes: &mut watch::Receiver<Option<DesiredRegistration>>,
        news: &mpsc::Sender<Outcome>,
    ) -> Option<Outcome> {
        let again = Arc::clone(&self.again);
        let mut fulfil = Box::pin(self.register(wish, news));
        let mut is_asked_again = false;
        let outcome = loop {
            tokio::select! {
                outcome = &mut fulfil => break Some(outcome),
                changed = wishes.changed() => {
                    changed.ok()?;
                    is_asked_again = true;
                    if wishes.borrow().as_ref().is_none_or(|newer| !newer.is_same(wish)) {
                        break None;
                    }
                    again.notify_one();
                }
            }
        };
        if is_asked_again {
            wishes.mark_changed();
        }
        outcome
    }

    async fn register(
        &mut self,
        wish: &DesiredRegistration,
        news: &mpsc::Sender<Outcome>,
    ) -> Outcome {
        match self.join_with_retries(wish, news).await {
            Ok(owned) => {
                self.has_joined = true;
                self.start_presence(&wish.record, news).await;
                Outcome::Joined(owned)
            }
            Err(error) => Outcome::Hopeless(error),
        }
    }

    async fn join_with_retries(
        &mut self,
        wish: &DesiredRegistration,
        news: &mpsc::Sender<Outcome>,
    ) -> Result<Owned, Error> {
        let before = self.record.replace(wish.record.clone());
        if before.is_some_and(|before| before != wish.record) {
            // A connection that began at an address which is gone only looks alive.
            let registry = Registry::open_with(&self.conf, &self.folder, self.policy)?;
            self.registry = Arc::new(registry);
        }
        let mut failures = 0;
        loop {
            match self.join(wish, news).await {
                Ok(owned) => {
                    if self.trouble.clear() {
                        info!("node {} joined the network after all", self.node);
                    }
                    return Ok(owned);
                }
                Err(error) if !self.has_joined && is_hopeless(&error) => return Err(error),
                Err(error) => {
                    let why = error.to_string();
                    if self.trouble.changed(registration::gist(&error, &why)) {
                        warn!("node {} cannot join the network yet: {why}", self.node);
                        // Without room there is newer news under way.
                        drop(news.try_send(Outcome::Delayed(why)));
                    }
                }
            }
            failures += 1;
            let pause = PAUSES.pause(failures);
            // Being asked again means that the registry is there.
            drop(timeout(pause, self.again.notified()).await);
        }
    }

    async fn join(
        &mut self,
        wish: &DesiredRegistration,
        news: &mpsc::Sender<Outcome>,
    ) -> Result<Owned, Error> {
        if !wish.lost.is_empty() {
            for (subnet, owner) in &wish.lost {
                let (node, text) = (&self.node, "hands out no more addresses from it");
                error!("subnet {subnet} belongs to node {owner} now: node {node} {text}");
            }
            // Whatever else fails, nothing more is handed out from these.
            self.disown(|subnet| wish.lost.contains_key(subnet), news)
                .await?;
        }
        let registration = match self.registry.register(&self.node, &wish.record).await {
            Err(taken @ Error::NodeTaken { .. }) => {
                // So are the subnets: the other machine hands out from them.
                self.disown(|_| true, news).await?;
                return Err(taken);
            }
            registration => registration?,
        };
        registration::log_registration(&self.node, &self.folder, &registration, &wish.record)?;
        let is_new = matches!(
            registration,
            Registration::New | Registration::TookOver { .. }
        );
        if let Some((_, before)) = self.presence.take_if(|_| is_new) {
            // It went with the record.
            before.stop().await;
        }
        let network = self.conf.network.as_str();
        let in_peace: owned::UnderLedgerLock<'_> =
            &|change| ledger::under_ledger_lock(network, change);
        let owned = self.claims().renew_under_lock(in_peace).await?;
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

    /// Hands out no more addresses from the subnets that are `lost`. Needs no registry.
    async fn disown(
        &mut self,
        lost: impl Fn(&IpNet) -> bool,
        news: &mpsc::Sender<Outcome>,
    ) -> Result<(), Error> {
        let network = self.conf.network.as_str();
        let in_peace: owned::UnderLedgerLock<'_> =
            &|change| ledger::under_ledger_lock(network, change);
        let time_limit = Policy::default().operation_timeout;
        let left = self.claims().disown(time_limit, lost, in_peace).await?;
        if let Some(owned) = left {
            self.log_stranded(&owned);
            // There is room: the loop takes news as they come. If not, it reads the file later.
            drop(news.try_send(Outcome::Lost(owned)));
        }
        Ok(())
    }

    fn log_stranded(&mut self, owned: &Owned) {
        match ledger::stranded(&self.conf.network, &owned.subnets) {
            None => drop(self.stranded.clear()),
            Some(text) => {
                if self.stranded.changed(&text) {
                    error!("{text}");
                }
            }
        }
    }

    async fn start_presence(&mut self, record: &NodeRecord, news: &mpsc::Sender<Outcome>) {
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
        tokio::spawn(presence::report_state(node, state, news.clone()));
        self.presence = Some((record.clone(), handle));
    }
}

/// Whether trying again is of no use until somebody changes the configuration.
fn is_hopeless(error: &Error) -> bool {
    matches!(error, Error::Mismatch { .. } | Error::Config { .. })
}
