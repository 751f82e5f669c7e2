//! Watches: events as lines of JSON.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::body::{Closed, PartSender};
use super::object::Object;
use super::request::{Request, StatusError};
use super::state::{Signals, State};
use super::store;

/// A watch ends after this time if the client sets none.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// The time between bookmarks.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(60);

/// A watch that has been accepted.
pub(super) struct Watch {
    state: Arc<State>,
    request: Request,
    /// All changes up to this version have been sent.
    cursor: u64,
    initial: Vec<Object>,
    /// Why there is nothing to send; said in an event, as by a real server.
    refusal: Option<StatusError>,
    timeout: Duration,
    signals: watch::Receiver<Signals>,
    /// The signals when the client sent the request.
    start: Signals,
}

impl Watch {
    /// Checks the request.
    pub(super) fn new(state: &Arc<State>, request: Request) -> Result<Self, StatusError> {
        let signals = state.signals.subscribe();
        let start = *signals.borrow();
        let version = request.number("resourceVersion")?;
        let initial = request.option("sendInitialEvents");
        let is_match_right = match request.option("resourceVersionMatch") {
            "NotOlderThan" => !initial.is_empty(),
            other => initial.is_empty() && other.is_empty(),
        };
        if !is_match_right {
            let message = "resourceVersionMatch: must be NotOlderThan with sendInitialEvents, and \
                           absent without";
            return Err(StatusError::new(422, message));
        }
        let starts_with_objects = match initial {
            "" => version.unwrap_or(0) == 0,
            _ => request.is_set("sendInitialEvents"),
        };
        let (cursor, initial, refusal) = state.store(|store| {
            let (cursor, objects) = match version {
                _ if starts_with_objects => (store.version(), store.select(&request)),
                Some(version @ 1..) => (version, Vec::new()),
                _ => (store.version(), Vec::new()),
            };
            (cursor, objects, store.check_start(cursor).err())
        });
        let timeout = request.number("timeoutSeconds")?.filter(|&it| it > 0);
        Ok(Self {
            state: Arc::clone(state),
            cursor,
            initial,
            refusal,
            timeout: timeout.map_or(DEFAULT_TIMEOUT, Duration::from_secs),
            request,
            start,
            signals,
        })
    }

    /// Sends events until the watch ends.
    pub(super) async fn run(mut self, parts: &PartSender) -> Result<(), Closed> {
        let start = self.start;
        if let Some(error) = &self.refusal {
            return self.error(parts, error).await;
        }
        for object in std::mem::take(&mut self.initial) {
            self.event(parts, "ADDED", &object).await?;
        }
        if self.request.is_set("sendInitialEvents") {
            self.bookmark(parts, true).await?;
        }
        let end = sleep(self.timeout);
        tokio::pin!(end);
        let mut bookmarks = interval_at(Instant::now() + BOOKMARK_INTERVAL, BOOKMARK_INTERVAL);
        bookmarks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = start;
        loop {
            // In this order, so that a change that comes meanwhile wakes it again.
            let now = *self.signals.borrow_and_update();
            self.catch_up(parts).await?;
            if now.bookmarks != seen.bookmarks {
                self.bookmark(parts, false).await?;
            }
            if now.expiries != start.expiries {
                return self
                    .error(parts, &store::too_old(self.cursor, self.cursor))
                    .await;
            }
            if now.ends != start.ends {
                return Ok(());
            }
            seen = now;
            tokio::select! {
                changed = self.signals.changed() => if changed.is_err() { return Ok(()) },
                _ = bookmarks.tick() => self.bookmark(parts, false).await?,
                () = &mut end => return self.bookmark(parts, false).await,
                () = parts.closed() => return Err(Closed),
            }
        }
    }

    /// Sends the changes since the last call.
    async fn catch_up(&mut self, parts: &PartSender) -> Result<(), Closed> {
        let (changes, version) = self.state.store(|store| {
            let changes = store.changes(&self.request, self.cursor);
            (changes, store.version())
        });
        match changes {
            Ok(changes) => {
                for (kind, object) in changes {
                    self.event(parts, kind, &object).await?;
                }
                // A watch from a version that is still to come waits for it.
                self.cursor = self.cursor.max(version);
                Ok(())
            }
            Err(error) => {
                self.error(parts, &error).await?;
                Err(Closed)
            }
        }
    }

    async fn event(&self, parts: &PartSender, kind: &str, object: &Object) -> Result<(), Closed> {
        let (head, rest) = object.parts(self.request.resource);
        let line = [
            b"{\"type\":\"",
            kind.as_bytes(),
            b"\",\"object\":",
            head.as_bytes(),
            rest,
            b"}\n",
        ];
        if self.state.faults().take_garbage() {
            return parts
                .send(b"{\"type\":\"MODIFIED\",\"object\":{\"ki\n".to_vec())
                .await;
        }
        parts.send(line.concat()).await
    }

    async fn bookmark(&self, parts: &PartSender, ends_initial_events: bool) -> Result<(), Closed> {
        if !self.request.is_set("allowWatchBookmarks") {
            return Ok(());
        }
        let resource = self.request.resource;
        let mut metadata =
            json!({ "resourceVersion": self.cursor.to_string(), "creationTimestamp": null });
        if ends_initial_events {
            metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        let object = json!({
            "kind": resource.kind, "apiVersion": resource.api_version(), "metadata": metadata,
        });
        self.value(parts, "BOOKMARK", &object).await
    }

    async fn error(&self, parts: &PartSender, error: &StatusError) -> Result<(), Closed> {
        self.value(parts, "ERROR", &error.object()).await
    }

    async fn value(&self, parts: &PartSender, kind: &str, object: &Value) -> Result<(), Closed> {
        let line = json!({ "type": kind, "object": object });
        parts.send(format!("{line}\n").into_bytes()).await
    }
}
