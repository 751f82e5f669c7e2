//! What a program holds while its node's presence is kept for it.

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// Whether the registry says that this node is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PresenceState {
    /// Not yet.
    Starting,
    /// It does.
    Present,
    /// It does not, or soon will not. Trying goes on.
    Lost {
        /// In words.
        why: String,
    },
    /// Another machine holds the node's name, or nobody. Trying goes on.
    Refused {
        /// In words, naming both machines.
        why: String,
    },
}

/// Keeps a node present. Stop it to be gone at once; a dropped one is gone soon after, a killed
/// process when its lease has run out.
#[derive(Debug)]
pub struct PresenceHandle {
    state: watch::Receiver<PresenceState>,
    task: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl PresenceHandle {
    /// `task` ends soon after `stop` was sent or dropped.
    pub(crate) fn new(
        state: watch::Receiver<PresenceState>,
        stop: oneshot::Sender<()>,
        task: JoinHandle<()>,
    ) -> Self {
        Self {
            state,
            task: Some((stop, task)),
        }
    }

    /// For a registry that keeps no presence.
    pub(crate) fn without_lease() -> Self {
        Self {
            state: watch::channel(PresenceState::Present).1,
            task: None,
        }
    }

    /// How it stands, now and whenever that changes.
    pub fn state(&self) -> watch::Receiver<PresenceState> {
        self.state.clone()
    }

    /// Withdraws the presence and waits until that is done, or could not be done in time.
    pub async fn stop(mut self) {
        if let Some((stop, task)) = self.task.take() {
            // Failures mean that the task has ended already.
            let _ = stop.send(());
            let _ = task.await;
        }
    }
}
