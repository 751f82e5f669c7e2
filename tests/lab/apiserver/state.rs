//! What the connections of the server share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::access::Access;
use super::faults::{Faults, Record};
use super::store::Store;

/// The state of the server.
pub(super) struct State {
    store: Mutex<Store>,
    access: Mutex<Access>,
    faults: Mutex<Faults>,
    records: Mutex<Vec<Record>>,
    acceptor: Mutex<TlsAcceptor>,
    /// Wakes watches, and everything that hangs.
    pub(super) signals: watch::Sender<Signals>,
}

/// What watches are to do. Each number counts up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Signals {
    /// Look at the store and at the faults again.
    pub(super) changes: u64,
    /// End.
    pub(super) ends: u64,
    /// Send a bookmark.
    pub(super) bookmarks: u64,
    /// End with an event that says 410.
    pub(super) expiries: u64,
}

/// Locks, also after a panic of another thread: what is behind the lock stays whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    pub(super) fn new(store: Store, acceptor: TlsAcceptor) -> Self {
        Self {
            store: Mutex::new(store),
            access: Mutex::default(),
            faults: Mutex::default(),
            records: Mutex::default(),
            acceptor: Mutex::new(acceptor),
            signals: watch::Sender::default(),
        }
    }

    /// Reads or changes the store. Watches look at it then.
    pub(super) fn store<T>(&self, work: impl FnOnce(&mut Store) -> T) -> T {
        let mut store = lock(&self.store);
        let version = store.version();
        let result = work(&mut store);
        let changed = store.version() != version;
        drop(store);
        if changed {
            self.signals.send_modify(|signals| signals.changes += 1);
        }
        result
    }

    pub(super) fn access(&self) -> MutexGuard<'_, Access> {
        lock(&self.access)
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(super) fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        lock(&self.records)
    }

    pub(super) fn acceptor(&self) -> MutexGuard<'_, TlsAcceptor> {
        lock(&self.acceptor)
    }

    /// Waits until the server does not hang.
    pub(super) async fn until_alive(&self) {
        let mut signals = self.signals.subscribe();
        // The server is about to stop if there are no signals any more.
        loop {
            let hangs = self.faults().hang;
            if !hangs || signals.changed().await.is_err() {
                return;
            }
        }
    }
}
