//! Which run of the daemon is present, and whether peers can see it.

use std::fs;
use std::process;

use registry::PresenceState;
use tokio::sync::watch;
use tracing::{info, warn};
use wire::node::NodeName;

/// Tells one run of the daemon from the next.
pub(super) fn session() -> String {
    let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid");
    uuid.map_or_else(|_| process::id().to_string(), |uuid| uuid.trim().to_owned())
}

/// Says when peers cannot see that this node is alive; ends with the presence.
pub(super) async fn tell(node: NodeName, mut state: watch::Receiver<PresenceState>) {
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
