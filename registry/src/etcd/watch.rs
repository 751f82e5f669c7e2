//! Watches the registry: a snapshot, then its changes, across connection losses, restarts, restores
//! and compactions of etcd.

use std::sync::Arc;

use etcd_client::{EventType, WatchOptions, WatchResponse, WatchStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use crate::etcd::EtcdRegistry;
use crate::etcd::connect::Connection;
use crate::etcd::error::{self, MAX_REPLY, RequestError};
use crate::etcd::snapshot::Position;
use crate::keys::Key;
use crate::records::Network;
use crate::snapshot::{RegistryChange, RegistryEvent};

/// How many events are queued for the receiver; further ones wait in etcd.
const QUEUE: usize = 64;

struct Watcher {
    etcd: Arc<EtcdRegistry>,
    events: mpsc::Sender<RegistryEvent>,
    /// The revision up to which the receiver has all events; `None` if it needs a new snapshot.
    position: Option<Position>,
    /// When to read everything again: after an outage, nothing proves that etcd was not restored from
    /// a backup whose later history happens to agree with what is compared.
    reread_at: Option<Instant>,
    /// The number of records in the last [`RegistryEvent::Reset`].
    keys: usize,
    /// The network of the last [`RegistryEvent::Reset`], against which records are checked.
    network: Option<Network>,
    is_down: bool,
}

/// Changes by revision.
type ChangesByRevision = Vec<(i64, Vec<RegistryChange>)>;

/// Why a watch ended.
enum WatchEnd {
    /// The receiver was dropped.
    Closed,
    /// Changes cannot be derived from what was sent: start over with a snapshot.
    Stale,
    Failed(RequestError),
}

impl From<RequestError> for WatchEnd {
    fn from(failure: RequestError) -> Self {
        Self::Failed(failure)
    }
}

impl EtcdRegistry {
    /// Starts the watch task. It ends when the receiver is dropped.
    pub(crate) fn watch_loop(self: Arc<Self>) -> mpsc::Receiver<RegistryEvent> {
        let (events, receiver) = mpsc::channel(QUEUE);
        let closed = events.clone();
        let watcher = Watcher {
            etcd: self,
            events,
            position: None,
            reread_at: None,
            keys: 0,
            network: None,
            is_down: false,
        };
        tokio::spawn(async move {
            tokio::select! {
                () = closed.closed() => {}
                () = watcher.run() => {}
            }
        });
        receiver
    }

    /// Watches `key`, or the range in the options. Returns once etcd has confirmed the watch.
    pub(super) async fn watch(
        &self,
        connection: &Connection,
        key: String,
        options: WatchOptions,
    ) -> Result<WatchStream, RequestError> {
        let limit = self.policy.request_timeout;
        self.request(connection, limit, |client| async move {
            let mut watch = client.watch_client().max_decoding_message_size(MAX_REPLY);
            let mut stream = watch.watch(key, Some(options)).await?;
            match stream.message().await? {
                Some(reply) if reply.created() && !reply.canceled() => Ok(stream),
                Some(reply) => Err(etcd_client::Error::WatchError(
                    reply.cancel_reason().to_owned(),
                )),
                None => Err(etcd_client::Error::WatchError(
                    "etcd ended the stream".to_owned(),
                )),
            }
        })
        .await
    }
}

impl Watcher {
    async fn run(mut self) {
        let backoff = self.etcd.policy.backoff;
        let mut failures = 0;
        let mut resets = 0;
        loop {
            let began = Instant::now();
            let Err(end) = Box::pin(self.watch()).await;
            let sent = match end {
                WatchEnd::Closed => return,
                WatchEnd::Stale
                | WatchEnd::Failed(RequestError::NotThere | RequestError::TooLarge) => {
                    // etcd answers, so the new snapshot must not wait for the backoff of an outage
                    // that is over; but resets that follow each other must not be a loop.
                    failures = resets;
                    resets += 1;
                    self.position = None;
                    Ok(())
                }
                WatchEnd::Failed(RequestError::Lost(why)) => {
                    let endpoints = self.etcd.connector.endpoints().join(", ");
                    self.disconnected(format!("etcd at {endpoints}: {why}"))
                        .await
                }
                WatchEnd::Failed(RequestError::Refused(error)) => {
                    self.disconnected(error.to_string()).await
                }
            };
            if sent.is_err() {
                return;
            }
            if began.elapsed() > backoff.most {
                failures = 0;
                resets = 0;
            }
            failures += 1;
            sleep(backoff.pause(failures)).await;
        }
    }

    /// Catches up, then forwards changes until something fails.
    async fn watch(&mut self) -> Result<std::convert::Infallible, WatchEnd> {
        let connection = self.etcd.connection().await?;
        let (mut position, reset) = match &self.position {
            Some(position)
                if !self.is_reread_due() && self.etcd.is_in_history(position).await? =>
            {
                (position.clone(), None)
            }
            _ => {
                let (snapshot, position) = self.etcd.read_all().await?;
                (position, Some(snapshot))
            }
        };
        let base = self.etcd.keys.base().to_owned();
        let options = WatchOptions::new()
            .with_prefix()
            .with_start_revision(position.revision + 1);
        let mut stream = self.etcd.watch(&connection, base, options).await?;
        if std::mem::take(&mut self.is_down) {
            self.send(RegistryEvent::Connected).await?;
        }
        if let Some(snapshot) = reset {
            self.network.clone_from(&snapshot.network);
            self.keys = snapshot.len();
            self.reread_at = None;
            self.send(RegistryEvent::Reset(snapshot)).await?;
        } else {
            let delay = self.etcd.policy.reread_delay(self.keys);
            self.reread_at.get_or_insert_with(|| Instant::now() + delay);
        }
        loop {
            let message = match self.reread_at {
                Some(at) => timeout_at(at, stream.message()).await,
                None => Ok(stream.message().await),
            };
            let Ok(message) = message else {
                return Err(WatchEnd::Stale);
            };
            let reply = match message {
                Ok(Some(reply)) => Ok(reply),
                Ok(None) => Err(RequestError::Lost("the watch ended".to_owned())),
                Err(error) => Err(error::failure(&connection.endpoint, &error)),
            };
            let forwarded = match reply {
                Ok(reply) => self.forward(&mut position, &reply).await,
                Err(failure) => {
                    self.etcd.drop_connection(&connection).await;
                    Err(WatchEnd::Failed(failure))
                }
            };
            if let Err(end) = forwarded {
                self.position = Some(position);
                return Err(end);
            }
        }
    }

    fn is_reread_due(&self) -> bool {
        self.reread_at.is_some_and(|at| at <= Instant::now())
    }

    async fn forward(
        &self,
        position: &mut Position,
        reply: &WatchResponse,
    ) -> Result<(), WatchEnd> {
        for (revision, changes) in self.changes_in(position, reply)? {
            self.send(RegistryEvent::Changes { revision, changes })
                .await?;
        }
        Ok(())
    }

    /// The new changes in `reply`, by revision. Advances the position past them.
    fn changes_in(
        &self,
        position: &mut Position,
        reply: &WatchResponse,
    ) -> Result<ChangesByRevision, WatchEnd> {
        let is_same = reply
            .header()
            .is_none_or(|header| header.cluster_id() == position.cluster);
        if reply.canceled() || !is_same {
            return Err(WatchEnd::Stale);
        }
        let sent_revision = position.revision;
        let mut by_revision = ChangesByRevision::new();
        for event in reply.events() {
            let Some(kv) = event.kv().filter(|kv| kv.mod_revision() > sent_revision) else {
                continue;
            };
            let name = self.etcd.keys.name(kv.key());
            if name.parse() == Ok(Key::Config) {
                return Err(WatchEnd::Stale);
            }
            position.revision = kv.mod_revision();
            let change = match event.event_type() {
                EventType::Put => {
                    position.record_write(kv.key(), kv.mod_revision());
                    RegistryChange::of_value(self.network.as_ref(), &name, kv.value())
                }
                EventType::Delete => {
                    position.record_delete(kv.key());
                    RegistryChange::of_absence(&name)
                }
            };
            match by_revision.last_mut() {
                Some((revision, changes)) if *revision == kv.mod_revision() => changes.push(change),
                _ => by_revision.push((kv.mod_revision(), vec![change])),
            }
        }
        Ok(by_revision)
    }

    async fn disconnected(&mut self, why: String) -> Result<(), WatchEnd> {
        if std::mem::replace(&mut self.is_down, true) {
            return Ok(());
        }
        self.send(RegistryEvent::Disconnected { why }).await
    }

    async fn send(&self, event: RegistryEvent) -> Result<(), WatchEnd> {
        self.events.send(event).await.map_err(|_| WatchEnd::Closed)
    }
}
