//! Logs and reports whether this node's presence key is in the registry, where peers see it.

use std::fs;
use std::process;

use registry::PresenceState;
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};
use wire::node::NodeName;

use super::Outcome;

/// A random id of this run of the daemon.
pub(super) fn session() -> String {
    let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid");
    uuid.map_or_else(|_| process::id().to_string(), |uuid| uuid.trim().to_owned())
}

/// Logs when peers cannot see that this node is alive, and sends each state to `outcomes`. Ends
/// with the presence.
pub(super) async fn report_state(
    node: NodeName,
    mut state: watch::Receiver<PresenceState>,
    outcomes: mpsc::Sender<Outcome>,
) {
    let mut was_lost = false;
    loop {
        let now = state.borrow_and_update().clone();
        match &now {
            PresenceState::Present if was_lost => {
                info!(%node, "node {node} is shown as present again");
                was_lost = false;
            }
            PresenceState::Starting | PresenceState::Present => {}
            PresenceState::Lost { why } | PresenceState::Refused { why } => {
                if !was_lost {
                    warn!(%node, error = %why, "node {node} is not shown as present: {why}; its routes stay");
                }
                was_lost = true;
            }
        }
        // A closed channel means that the daemon is stopping.
        if outcomes.send(Outcome::Presence(now)).await.is_err() || state.changed().await.is_err() {
            return;
        }
    }
}
