//! The presence of a node: a key on a lease that is kept alive.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{
    Compare, CompareOp, EventType, GetOptions, PutOptions, Txn, TxnOp, WatchOptions, WatchStream,
};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};
use wire::node::NodeName;

use crate::error::Error;
use crate::etcd::Etcd;
use crate::etcd::error::RequestError;
use crate::etcd::snapshot::kv;
use crate::liveness::{PresenceHandle, PresenceState};
use crate::policy::REVOKE_TIMEOUT;
use crate::records::{NodeRecord, Presence, read_value, write_value};

struct PresenceTask {
    etcd: Arc<Etcd>,
    node: NodeName,
    machine: String,
    presence: Presence,
    state: watch::Sender<PresenceState>,
    lease: Option<i64>,
}

/// A lease granted by etcd.
struct Grant {
    lease: i64,
    /// How long it lasts if it is not renewed.
    ttl: Duration,
    /// When it was requested. It began no earlier.
    requested: Instant,
    /// A watch on the key, begun before the key was written; `None` if that failed.
    watch: Option<WatchStream>,
}

impl Etcd {
    pub(crate) fn present(
        self: Arc<Self>,
        node: &NodeName,
        machine: &str,
        presence: Presence,
    ) -> PresenceHandle {
        let (state, states) = watch::channel(PresenceState::Starting);
        let (stop, stopped) = oneshot::channel();
        let mut keeper = PresenceTask {
            etcd: self,
            node: node.clone(),
            machine: machine.to_owned(),
            presence,
            state,
            lease: None,
        };
        let task = tokio::spawn(async move {
            tokio::select! {
                _ = stopped => {}
                () = keeper.run() => {}
            }
            keeper.revoke().await;
        });
        PresenceHandle::new(states, stop, task)
    }
}

impl PresenceTask {
    /// Keeps the node present with one lease after another.
    async fn run(&mut self) {
        let mut failures = 0;
        loop {
            let state = match self.announce().await {
                Ok(grant) => {
                    failures = 0;
                    self.set(PresenceState::Present);
                    let why = self.keep(grant).await.to_owned();
                    self.lease = None;
                    PresenceState::Lost { why }
                }
                Err(state) => state,
            };
            self.set(state);
            failures += 1;
            sleep(self.etcd.policy.backoff.pause(failures)).await;
        }
    }

    /// Writes the presence key on a new lease, if this machine holds the name.
    async fn announce(&mut self) -> Result<Grant, PresenceState> {
        let limit = self.etcd.policy.request_timeout;
        let revision = self.own_record_revision().await?;
        let watch = self.watch().await.ok();
        let seconds = i64::try_from(self.etcd.policy.lease_ttl.as_secs())
            .unwrap_or(i64::MAX)
            .max(1);
        let requested = Instant::now();
        let granted = self
            .etcd
            .with_connection(limit, |client| async move {
                client.lease_client().grant(seconds, None).await
            })
            .await?;
        let lease = granted.id();
        self.lease = Some(lease);
        let put = PutOptions::new().with_lease(lease);
        let (node, key) = (
            self.etcd.keys.node(&self.node),
            self.etcd.keys.presence(&self.node),
        );
        let txn = Txn::new()
            .when([Compare::mod_revision(node, CompareOp::Equal, revision)])
            .and_then([
                TxnOp::put(key, write_value(&self.presence), Some(put)),
                // A new absence is counted from zero.
                TxnOp::delete(self.etcd.keys.absence(&self.node), None),
            ]);
        let reply = self
            .etcd
            .with_connection(limit, |client| async move { kv(&client).txn(txn).await })
            .await?;
        if !reply.succeeded() {
            return Err(PresenceState::Lost {
                why: "the node's record just changed".to_owned(),
            });
        }
        let ttl = u64::try_from(granted.ttl()).unwrap_or_default().max(1);
        Ok(Grant {
            lease,
            ttl: Duration::from_secs(ttl),
            requested,
            watch,
        })
    }

    /// Watches the key: it is written again at once if someone deletes it, so that no other machine
    /// can take over the name.
    async fn watch(&self) -> Result<WatchStream, RequestError> {
        let connection = self.etcd.connection().await?;
        let key = self.etcd.keys.presence(&self.node);
        self.etcd.watch(&connection, key, WatchOptions::new()).await
    }

    /// The revision of the node's record, if the record names this machine.
    async fn own_record_revision(&self) -> Result<i64, PresenceState> {
        let key = self.etcd.keys.node(&self.node);
        let requested = key.clone();
        let reply = self
            .etcd
            .with_connection(self.etcd.policy.request_timeout, |client| async move {
                kv(&client).get(requested, None).await
            })
            .await?;
        let refused = |why| Err(PresenceState::Refused { why });
        let Some(record) = reply.kvs().first() else {
            return refused(format!("node {} is not registered", self.node));
        };
        match read_value::<NodeRecord>(record.value()) {
            Ok(theirs) if theirs.machine_id == self.machine => Ok(record.mod_revision()),
            Ok(theirs) => {
                let addresses = self.presence.address.into_iter().collect();
                let ours = NodeRecord {
                    addresses,
                    machine_id: self.machine.clone(),
                };
                let node = self.node.clone();
                let theirs = Box::new(theirs);
                refused(Error::NodeTaken { node, ours, theirs }.to_string())
            }
            Err(why) => refused(Error::Corrupt { key, why }.to_string()),
        }
    }

    /// Renews the lease until the lease or the key is lost, and returns which. The interval between
    /// two requests is a third of the TTL, longer if the answer takes longer, and shorter if the
    /// key was seen to be deleted.
    async fn keep(&mut self, grant: Grant) -> &'static str {
        let Grant {
            lease,
            ttl,
            mut requested,
            mut watch,
        } = grant;
        let backoff = self.etcd.policy.backoff;
        let mut renewed = requested;
        let mut failures = 0;
        loop {
            let next = match failures {
                0 => requested + ttl / 3,
                _ => Instant::now() + backoff.pause(failures).min(ttl / 3),
            };
            tokio::select! {
                () = sleep_until(next) => {}
                () = deleted(&mut watch) => {}
            }
            if watch.is_none() {
                watch = self.watch().await.ok();
            }
            requested = Instant::now();
            match self.renew(lease).await {
                Ok(None) => {
                    renewed = requested;
                    failures = 0;
                    self.set(PresenceState::Present);
                }
                Ok(Some(why)) => return why,
                Err(failure) => {
                    failures += 1;
                    if renewed.elapsed() > ttl {
                        self.set(failure.into());
                    }
                }
            }
        }
    }

    /// `None` if the lease was renewed and the key exists, else what was lost. Both requests are
    /// sent at once, because a slow etcd leaves less time before the lease expires.
    async fn renew(&self, lease: i64) -> Result<Option<&'static str>, RequestError> {
        let limit = self.etcd.policy.request_timeout;
        let renew = |client: etcd_client::Client| async move {
            match client.lease_client().keep_alive(lease).await {
                Ok(_) => Ok(true),
                Err(etcd_client::Error::LeaseKeepAliveError(_)) => Ok(false),
                Err(error) => Err(error),
            }
        };
        // Deleting the network's keys leaves the lease alive, so the key is checked too.
        let key = self.etcd.keys.presence(&self.node);
        let count = GetOptions::new().with_count_only();
        let check = |client| async move { kv(&client).get(key, Some(count)).await };
        let renewal = Box::pin(self.etcd.with_connection(limit, renew));
        let check = Box::pin(self.etcd.with_connection(limit, check));
        let (is_renewed, found) = tokio::join!(renewal, check);
        if !is_renewed? {
            return Ok(Some("the lease ran out"));
        }
        Ok((found?.count() == 0).then_some("its key was deleted"))
    }

    /// Revokes the lease, and with it the key, unless another session has written the key since.
    async fn revoke(&mut self) {
        let Some(lease) = self.lease.take() else {
            return;
        };
        let revoke =
            |client: etcd_client::Client| async move { client.lease_client().revoke(lease).await };
        // If etcd cannot be reached, the lease expires.
        if let Err(failure) = self.etcd.with_connection(REVOKE_TIMEOUT, revoke).await {
            tracing::debug!(node = %self.node, error = ?failure, "cannot revoke the presence lease");
        }
    }

    fn set(&self, state: PresenceState) {
        self.state.send_if_modified(|current| {
            let is_new = *current != state;
            *current = state;
            is_new
        });
    }
}

/// Returns when the key is seen to be deleted. Drops a watch that ends.
async fn deleted(watch: &mut Option<WatchStream>) {
    while let Some(stream) = watch {
        match stream.message().await {
            Ok(Some(reply)) if !reply.canceled() => {
                let mut events = reply.events().iter();
                if events.any(|event| event.event_type() == EventType::Delete) {
                    return;
                }
            }
            _ => *watch = None,
        }
    }
    std::future::pending::<()>().await;
}

impl From<RequestError> for PresenceState {
    fn from(failure: RequestError) -> Self {
        let why = match failure {
            RequestError::Lost(why) => why,
            RequestError::Refused(error) => error.to_string(),
            RequestError::NotThere => "etcd compacted what was read".to_owned(),
        };
        Self::Lost { why }
    }
}
