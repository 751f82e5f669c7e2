//! Registers this node: keeps its record, its claims and its presence in the registry.
//!
//! This is a task of its own, because it waits for etcd, which the event loop must not do. The loop
//! requests a registration ([`DesiredRegistration`]); the task retries until it succeeds, and
//! reports the result ([`MembershipOutcome`]).

pub(crate) mod absence;
pub(crate) mod forget_after;
pub(crate) mod forget_task;
mod join;
mod outcome;
mod presence;
mod registration;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use daemonkit::OnChange;
use registry::owned::Owned;
use registry::{Error, NodeRecord, Policy, PresenceHandle, Registry, RewriteLimit};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::timeout;
use tracing::{info, warn};
use wire::clock::unix_seconds;
use wire::conf::IpamConfig;
use wire::node::{MachineId, NodeName};

pub(crate) use outcome::MembershipOutcome;
pub(crate) use registration::DesiredRegistration;

use crate::timeouts::JOIN_RETRY_BACKOFF;

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
    /// What this node last asked the registry for, and how often it had to repeat that because
    /// another writer changed it.
    written: Option<DesiredRegistration>,
    rewrites: RewriteLimit,
    /// The record of this node that another writer made, as it was last seen.
    foreign_record: Option<NodeRecord>,
    fight: OnChange,
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
            written: None,
            rewrites: RewriteLimit::default(),
            foreign_record: None,
            fight: OnChange::default(),
            failure: OnChange::default(),
            stranded: OnChange::default(),
        }
    }

    /// Handles requests until their sender is dropped; then withdraws the presence.
    pub(crate) async fn run(
        mut self,
        mut requests: watch::Receiver<Option<DesiredRegistration>>,
        outcomes: mpsc::Sender<MembershipOutcome>,
    ) {
        loop {
            tokio::select! {
                changed = requests.changed() => if changed.is_err() {
                    break;
                },
                // Another session has the name: find out which, and hand out no more addresses. A
                // node that is not registered waits until all of the registry was read: what it
                // claims again must not hide that the registry lost its data.
                () = presence::refused(self.presence.as_ref().map(|(_, handle)| handle)) => {}
            }
            let Some(desired) = requests.borrow_and_update().clone() else {
                continue;
            };
            if !self
                .wait_before_rewrite(&desired, &mut requests, &outcomes)
                .await
            {
                continue;
            }
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
        outcomes: &mpsc::Sender<MembershipOutcome>,
    ) -> Option<MembershipOutcome> {
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
        outcomes: &mpsc::Sender<MembershipOutcome>,
    ) -> MembershipOutcome {
        match self.join_with_retries(desired, outcomes).await {
            Ok(owned) => {
                self.has_joined = true;
                MembershipOutcome::Joined(owned)
            }
            Err(error) => MembershipOutcome::ConfigRejected(error),
        }
    }

    async fn join_with_retries(
        &mut self,
        desired: &DesiredRegistration,
        outcomes: &mpsc::Sender<MembershipOutcome>,
    ) -> Result<Owned, Error> {
        let before = self.record.replace(desired.record.clone());
        let is_other = before.is_some_and(|before| before != desired.record);
        if is_other && !self.registry.is_kubernetes() {
            // A connection from an address that is gone would only time out. (Kubernetes' is the
            // watch, which finds out by itself.)
            let registry = Registry::open_with(&self.conf, &self.folder, self.policy);
            let session = self.registry.session().cloned();
            self.registry = Arc::new(match session {
                Some(session) => registry.in_session(session),
                None => registry,
            });
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
                        drop(outcomes.try_send(MembershipOutcome::Delayed(text)));
                    }
                }
            }
            failures += 1;
            let pause = JOIN_RETRY_BACKOFF.pause(failures);
            // A repeated request means that the registry is in reach again.
            drop(timeout(pause, self.retry_now.notified()).await);
        }
    }

    /// Says once that another writer changes what this node writes, and who, as far as known.
    fn log_rewrites(&mut self, pause: Duration, outcomes: &mpsc::Sender<MembershipOutcome>) {
        if pause.is_zero() {
            self.fight.clear();
            return;
        }
        let node = &self.node;
        let who = self.foreign_record.as_ref();
        let who = who.map_or_else(|| "unknown".to_owned(), registration::writer);
        let text = format!(
            "another program or machine keeps changing the keys of node {node} in etcd; last \
             writer: {who}. They are written again at intervals that grow to a minute: stop that \
             program, or give the other machine another node name"
        );
        // Its addresses may be others each time.
        let writer = self.foreign_record.as_ref();
        let writer = writer.map_or("unknown", |record| &record.machine_id);
        if self.fight.changed(writer) {
            warn!(%node, "{text}");
        }
        // If the channel is full, newer outcomes are under way.
        drop(outcomes.try_send(MembershipOutcome::Delayed(text)));
    }

    /// Waits while another writer keeps changing what this node writes. Returns `false` if a
    /// different request came meanwhile.
    async fn wait_before_rewrite(
        &mut self,
        desired: &DesiredRegistration,
        requests: &mut watch::Receiver<Option<DesiredRegistration>>,
        outcomes: &mpsc::Sender<MembershipOutcome>,
    ) -> bool {
        let is_first = self
            .written
            .as_ref()
            .is_none_or(|it| !it.same_request(desired));
        self.written = Some(desired.clone());
        if is_first || self.registry.is_kubernetes() {
            return true;
        }
        let pause = self.rewrites.pause(Instant::now());
        self.log_rewrites(pause, outcomes);
        let is_other = |newer: &Option<DesiredRegistration>| {
            newer
                .as_ref()
                .is_none_or(|newer| !newer.same_request(desired))
        };
        let result = timeout(pause, requests.wait_for(is_other))
            .await
            .map(|newer| newer.map(drop));
        if let Ok(Ok(())) = result {
            requests.mark_changed();
        }
        result.is_err()
    }
}

/// Whether retrying is useless until the configuration is changed. A file for etcd that is missing or
/// wrong may still be replaced.
fn is_config_error(error: &Error) -> bool {
    matches!(error, Error::Mismatch { .. })
}
