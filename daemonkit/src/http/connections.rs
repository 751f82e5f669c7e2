//! The open connections of a listener. Their number is limited: when all places are taken, the
//! oldest connection that is not being answered is closed for the next one. So clients that send
//! nothing, or never read, cannot keep a probe of the node's health out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use crate::timeouts::{HTTP_CROWDED_TIME, MIN_HTTP_CONNECTION_AGE};

/// The number of connections at a time.
pub(super) const MAX_CONNECTIONS: usize = 64;

/// The connections of one listener. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Connections(Arc<SharedConnections>);

#[derive(Debug, Default)]
struct SharedConnections {
    state: Mutex<ConnectionTable>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct ConnectionTable {
    /// By number, so the oldest is first.
    open: BTreeMap<u64, Open>,
    next: u64,
    crowded: Option<Crowded>,
}

#[derive(Debug)]
struct Open {
    since: Instant,
    is_being_answered: bool,
    client: String,
    /// Dropping it closes the connection.
    _close: oneshot::Sender<()>,
}

/// A connection was closed because all places were taken.
#[derive(Debug)]
struct Crowded {
    at: Instant,
    client: String,
}

/// The place of one connection, until it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    connections: Connections,
    number: u64,
}

/// Whether the next connection has a place.
#[derive(Debug, PartialEq, Eq)]
enum Admission {
    Free,
    /// After the connection with this number is closed.
    Close(u64),
    /// Not before this much time has passed, or a connection has ended.
    Wait(Duration),
}

impl Connections {
    /// Waits for a place for a connection of `client`. The receiver ends when the connection has to
    /// be closed for another.
    pub(super) async fn enter(&self, client: String) -> (ConnectionSlot, oneshot::Receiver<()>) {
        loop {
            let wait = {
                let mut state = self.lock();
                match room(&state.open, Instant::now()) {
                    Admission::Free => return self.add(&mut state, client),
                    Admission::Close(number) => {
                        state.close(number);
                        return self.add(&mut state, client);
                    }
                    Admission::Wait(wait) => wait,
                }
            };
            drop(timeout(wait, self.0.changed.notified()).await);
        }
    }

    fn add(
        &self,
        state: &mut ConnectionTable,
        client: String,
    ) -> (ConnectionSlot, oneshot::Receiver<()>) {
        let (close, closed) = oneshot::channel();
        let number = state.next;
        state.next += 1;
        state.open.insert(
            number,
            Open {
                since: Instant::now(),
                is_being_answered: false,
                client,
                _close: close,
            },
        );
        let connections = self.clone();
        let place = ConnectionSlot {
            connections,
            number,
        };
        (place, closed)
    }

    /// The client whose connection was closed for another's within the last minute.
    pub(super) fn crowded_by(&self) -> Option<String> {
        let state = self.lock();
        let crowded = state.crowded.as_ref()?;
        (crowded.at.elapsed() < HTTP_CROWDED_TIME).then(|| crowded.client.clone())
    }

    fn lock(&self) -> MutexGuard<'_, ConnectionTable> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionTable {
    fn close(&mut self, number: u64) {
        if let Some(Open { client, .. }) = self.open.remove(&number) {
            let at = Instant::now();
            self.crowded = Some(Crowded { at, client });
        }
    }
}

impl ConnectionSlot {
    /// Marks the connection while it is being answered: then it is not closed for another.
    pub(super) fn set_being_answered(&self, is_being_answered: bool) {
        if let Some(open) = self.connections.lock().open.get_mut(&self.number) {
            open.is_being_answered = is_being_answered;
        }
        self.connections.0.changed.notify_one();
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.connections.lock().open.remove(&self.number);
        self.connections.0.changed.notify_one();
    }
}

fn room(open: &BTreeMap<u64, Open>, now: Instant) -> Admission {
    if open.len() < MAX_CONNECTIONS {
        return Admission::Free;
    }
    // An answer takes as long as the event loop, which has a time limit.
    let Some((number, oldest)) = open.iter().find(|(_, one)| !one.is_being_answered) else {
        return Admission::Wait(Duration::MAX);
    };
    match MIN_HTTP_CONNECTION_AGE.checked_sub(now.saturating_duration_since(oldest.since)) {
        Some(wait) if !wait.is_zero() => Admission::Wait(wait),
        _ => Admission::Close(*number),
    }
}

#[cfg(test)]
mod tests;
