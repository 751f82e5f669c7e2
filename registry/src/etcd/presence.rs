//! The presence of a node: a key on a lease that is kept alive.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{
    Compare, CompareOp, KeyValue, PutOptions, Txn, TxnOp, WatchOptions, WatchStream,
};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};
use wire::node::NodeName;

use crate::error::Error;
use crate::etcd::EtcdRegistry;
use crate::etcd::error::{self, RequestError};
use crate::etcd::pages::kv;
use crate::etcd::snapshot::get_replies;
use crate::etcd::view::presence_view;
use crate::liveness::{PresenceHandle, PresenceState};
use crate::policy::REVOKE_TIMEOUT;
use crate::protocol::{self, Claimant};
use crate::records::{NodeRecord, Presence, read_value, write_value};
use crate::rewrite_limit::RewriteLimit;
use crate::session::Session;

struct PresenceTask {
    etcd: Arc<EtcdRegistry>,
    node: NodeName,
    machine: String,
    session: Option<Arc<Session>>,
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

impl EtcdRegistry {
    pub(crate) fn present(
        self: Arc<Self>,
        node: &NodeName,
        machine: &str,
        session: Option<Arc<Session>>,
        presence: Presence,
    ) -> PresenceHandle {
        let (state, states) = watch::channel(PresenceState::Starting);
        let (stop, stopped) = oneshot::channel();
        let mut keeper = PresenceTask {
            etcd: self,
            node: node.clone(),
            machine: machine.to_owned(),
            session,
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
        let mut rewrites = RewriteLimit::default();
        loop {
            match self.write_presence().await {
                Ok(grant) => {
                    failures = 0;
                    self.set(PresenceState::Present);
                    let why = self.keep(grant).await;
                    // The lease may be alive while the key is not.
                    self.revoke().await;
                    self.set(PresenceState::Lost { why });
                    sleep(rewrites.pause(Instant::now().into_std())).await;
                }
                Err(state) => {
                    self.set(state);
                    failures += 1;
                    sleep(self.etcd.policy.backoff.pause(failures)).await;
                }
            }
        }
    }

    /// Writes the presence key on a new lease, if this machine holds the name.
    async fn write_presence(&mut self) -> Result<Grant, PresenceState> {
        let limit = self.etcd.policy.request_timeout;
        let (record, before) = self.own_revisions().await?;
        let watch = self.watch().await.ok();
        let requested = Instant::now();
        let granted = self.etcd.lease(self.etcd.policy.lease_ttl, limit).await?;
        let lease = granted.id();
        self.lease = Some(lease);
        let put = PutOptions::new().with_lease(lease);
        let (node, key) = (
            self.etcd.keys.node(&self.node),
            self.etcd.keys.presence(&self.node),
        );
        let txn = Txn::new()
            .when([
                Compare::mod_revision(node, CompareOp::Equal, record),
                Compare::mod_revision(key.clone(), CompareOp::Equal, before),
            ])
            .and_then([
                TxnOp::put(key, write_value(&self.presence), Some(put)),
                // A new absence is counted from zero.
                TxnOp::delete(self.etcd.keys.absence(&self.node), None),
            ]);
        if let Some(session) = &self.session {
            session.mark_shown(self.presence.address);
        }
        let reply = self.etcd.transaction(txn, limit).await?;
        if !reply.succeeded() {
            // Revoked at once, so that failures in a row do not leave one lease each.
            self.revoke().await;
            return Err(PresenceState::Lost {
                why: "the node's record or presence just changed".to_owned(),
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

    /// The revisions of the node's record and of its presence (0 if it is absent), if this machine
    /// holds the name.
    async fn own_revisions(&self) -> Result<(i64, i64), PresenceState> {
        let key = self.etcd.keys.node(&self.node);
        let reads = [
            TxnOp::get(key.clone(), None),
            TxnOp::get(self.etcd.keys.presence(&self.node), None),
        ];
        let limit = self.etcd.policy.request_timeout;
        let txn = Txn::new().and_then(reads);
        let reply = self.etcd.transaction(txn, limit).await?;
        let mut replies = get_replies(&reply);
        let (record, presence) = (replies.next(), replies.next());
        let presence = presence.and_then(|reply| reply.kvs().first().map(presence_view));
        let refused = |why| Err(PresenceState::Refused { why });
        let record = record.as_ref().and_then(|reply| reply.kvs().first());
        let Some(record) = record else {
            // Not another session's: the registry's data may be lost, and the node registers again
            // only when it has read all of it.
            return Err(PresenceState::Lost {
                why: format!("node {} is not registered", self.node),
            });
        };
        let theirs = match read_value::<NodeRecord>(record.value()) {
            Ok(theirs) => theirs,
            Err(why) => return refused(Error::Corrupt { key, why }.to_string()),
        };
        let addresses: Vec<_> = self.presence.address.into_iter().collect();
        let claimant = Claimant {
            node: &self.node,
            machine: &self.machine,
            session: self.session.as_deref(),
            addresses: Some(&addresses),
        };
        protocol::may_write_presence(&theirs, presence.as_ref(), claimant)
            .map(|()| {
                let presence = presence.map_or(0, |it| it.revision);
                (record.mod_revision(), presence)
            })
            .or_else(|taken| refused(taken.to_string()))
    }

    /// Renews the lease until the lease or the key is lost, and returns which. The interval between
    /// two requests is a third of the TTL, longer if the answer takes longer, and shorter if the
    /// key was seen to change.
    async fn keep(&mut self, grant: Grant) -> String {
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
                () = changed(&mut watch) => {}
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

    /// `None` if the lease was renewed and the key is on it, else what was lost. Both requests are
    /// sent at once, because a slow etcd leaves less time before the lease expires.
    async fn renew(&self, lease: i64) -> Result<Option<String>, RequestError> {
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
        let check = |client| async move { kv(&client).get(key, None).await };
        let renewal = Box::pin(self.etcd.with_connection(limit, renew));
        let check = Box::pin(self.etcd.with_connection(limit, check));
        let (is_renewed, found) = tokio::join!(renewal, check);
        if !is_renewed? {
            return Ok(Some("the lease ran out".to_owned()));
        }
        Ok(match found?.kvs().first() {
            None => Some("its key was deleted by another program".to_owned()),
            Some(found) if found.lease() != lease => Some(overwritten(found)),
            Some(_) => None,
        })
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

/// Who wrote the presence key of this node, as far as the value and the lease say.
fn overwritten(found: &KeyValue) -> String {
    let view = presence_view(found);
    let session = view.session.unwrap_or_else(|| "unknown".to_owned());
    let address = view.address.map_or_else(
        || "no known address".to_owned(),
        |address| format!("address {address}"),
    );
    format!(
        "its key was overwritten by session {session} with {address}, on lease {:x}: a clone of this \
         machine, or another program?",
        found.lease()
    )
}

/// Returns when the key is seen to be deleted or written. Drops a watch that ends.
async fn changed(watch: &mut Option<WatchStream>) {
    while let Some(stream) = watch {
        match stream.message().await {
            Ok(Some(reply)) if !reply.canceled() => {
                // The first event may be this task's own write; the check then finds that all is
                // well.
                if !reply.events().is_empty() {
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
            RequestError::TooLarge => error::too_large(),
        };
        Self::Lost { why }
    }
}
