//! This node's own place in the registry: its record, its claims, its presence.
//!
//! A task of its own, because it waits for etcd and the loop never does. The loop says what it
//! wishes ([`Wish`]); the task makes it so, tries for as long as it takes, and tells what came of
//! it ([`News`]).

use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use registry::owned::{self, Owned};
use registry::{
    Backoff, Error, NodeRecord, Policy, Presence, PresenceHandle, PresenceState, Registration,
    Registry,
};
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};
use wire::conf::IpamConfig;
use wire::node::{MachineId, NodeName};

use crate::report::Said;

/// Between tries.
const PAUSES: Backoff = Backoff {
    first: Duration::from_millis(500),
    most: Duration::from_secs(10),
};

/// What the registry is to say of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The node's record.
    pub(crate) record: NodeRecord,
    /// Counts the occasions on which the registry was seen to lack what it should have.
    pub(crate) round: u64,
}

/// What came of a wish.
#[derive(Debug)]
pub(crate) enum News {
    /// The registry has this node's record, and these are its claims.
    Joined(Owned),
    /// It never will as things are: somebody has to change the configuration.
    Hopeless(Error),
}

/// Who joins, and where.
pub(crate) struct Membership {
    conf: IpamConfig,
    folder: PathBuf,
    node: NodeName,
    machine: MachineId,
    registry: Arc<Registry>,
    /// The record that the registry was last asked to hold.
    record: Option<NodeRecord>,
    has_joined: bool,
    presence: Option<(NodeRecord, PresenceHandle)>,
    trouble: Said,
}

impl Membership {
    /// `conf` says where `registry` is, and `folder` where the claims are remembered.
    pub(crate) fn new(
        conf: IpamConfig,
        folder: PathBuf,
        node: NodeName,
        machine: MachineId,
        registry: Arc<Registry>,
    ) -> Self {
        Self {
            conf,
            folder,
            node,
            machine,
            registry,
            record: None,
            has_joined: false,
            presence: None,
            trouble: Said::default(),
        }
    }

    /// Fulfils wishes until there can be no more (the sender is dropped); then withdraws the
    /// presence.
    pub(crate) async fn run(
        mut self,
        mut wishes: watch::Receiver<Option<Wish>>,
        news: mpsc::Sender<News>,
    ) {
        while wishes.changed().await.is_ok() {
            let Some(wish) = wishes.borrow_and_update().clone() else {
                continue;
            };
            let outcome = tokio::select! {
                outcome = self.fulfil(&wish) => outcome,
                // The new wish counts; what was begun is safe to leave at any point.
                changed = wishes.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    wishes.mark_changed();
                    continue;
                }
            };
            if news.send(outcome).await.is_err() {
                break;
            }
        }
        if let Some((_, handle)) = self.presence {
            handle.stop().await;
        }
    }

    async fn fulfil(&mut self, wish: &Wish) -> News {
        match self.join_at_last(wish).await {
            Ok(owned) => {
                self.has_joined = true;
                self.be_present(&wish.record).await;
                News::Joined(owned)
            }
            Err(error) => News::Hopeless(error),
        }
    }

    async fn join_at_last(&mut self, wish: &Wish) -> Result<Owned, Error> {
        let before = self.record.replace(wish.record.clone());
        if before.is_some_and(|before| before != wish.record) {
            // A connection that began at an address which is gone only looks alive.
            let registry = Registry::open_with(&self.conf, &self.folder, Policy::daemon())?;
            self.registry = Arc::new(registry);
        }
        let mut failures = 0;
        loop {
            match self.join(wish).await {
                Ok(owned) => {
                    if self.trouble.clear() {
                        info!("node {} joined the network after all", self.node);
                    }
                    return Ok(owned);
                }
                Err(error) if !self.has_joined && is_hopeless(&error) => return Err(error),
                Err(error) => {
                    if self.trouble.is_news(&error.to_string()) {
                        warn!("node {} cannot join the network yet: {error}", self.node);
                    }
                }
            }
            failures += 1;
            tokio::time::sleep(PAUSES.pause(failures)).await;
        }
    }

    async fn join(&self, wish: &Wish) -> Result<Owned, Error> {
        let registration = self.registry.register(&self.node, &wish.record).await?;
        if let Registration::TookOver { from } = registration {
            warn!(
                "took over the name and the subnets of node {} from machine {}, whose routed is \
                 gone",
                self.node, from.machine_id
            );
        }
        let machine = self.machine.as_str();
        owned::renew(&self.registry, &self.folder, &self.node, machine).await
    }

    async fn be_present(&mut self, record: &NodeRecord) {
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
            session: session(),
            address: record.addresses.first().copied(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let machine = self.machine.as_str();
        let handle = self.registry.present(&self.node, machine, presence);
        tokio::spawn(tell_of_presence(self.node.clone(), handle.state()));
        self.presence = Some((record.clone(), handle));
    }
}

/// Tells one run of the daemon from the next.
fn session() -> String {
    let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid");
    uuid.map_or_else(|_| process::id().to_string(), |uuid| uuid.trim().to_owned())
}

/// Whether trying again is of no use until somebody changes the configuration.
fn is_hopeless(error: &Error) -> bool {
    matches!(error, Error::Mismatch { .. } | Error::Config { .. })
}

/// Says when peers cannot see that this node is alive; ends with the presence.
async fn tell_of_presence(node: NodeName, mut state: watch::Receiver<PresenceState>) {
    let mut was_lost = false;
    while state.changed().await.is_ok() {
        match &*state.borrow_and_update() {
            PresenceState::Present if was_lost => {
                info!("node {node} is shown as present again");
                was_lost = false;
            }
            PresenceState::Starting | PresenceState::Present => {}
            PresenceState::Lost { why } | PresenceState::Refused { why } => {
                if !was_lost {
                    warn!("node {node} is not shown as present: {why}; its routes stay");
                }
                was_lost = true;
            }
        }
    }
}
