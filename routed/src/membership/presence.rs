//! Logs and reports whether this node's presence key is in the registry, where peers see it.

use std::time::Duration;

use registry::{PresenceHandle, PresenceState};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tracing::{info, warn};
use wire::node::NodeName;

use super::MembershipOutcome;

/// Waits until the node is present or that is refused, at most for `limit`. Returns the state.
pub(super) async fn settled(handle: &PresenceHandle, limit: Duration) -> PresenceState {
    let mut state = handle.state();
    let is_settled =
        |it: &PresenceState| matches!(it, PresenceState::Present | PresenceState::Refused { .. });
    drop(timeout(limit, state.wait_for(is_settled)).await);
    match state.borrow().clone() {
        PresenceState::Starting => PresenceState::Lost {
            why: "no answer in time".to_owned(),
        },
        settled => settled,
    }
}

/// Returns when the presence is refused: another session holds the name. Without a presence it never
/// returns.
pub(super) async fn refused(handle: Option<&PresenceHandle>) {
    if let Some(handle) = handle {
        let mut state = handle.state();
        let is_refused = |it: &PresenceState| matches!(it, PresenceState::Refused { .. });
        if state.wait_for(is_refused).await.is_ok() {
            return;
        }
    }
    std::future::pending::<()>().await;
}

/// Logs when peers cannot see that this node is alive, and sends each state to `outcomes`. Ends
/// with the presence.
pub(super) async fn report_state(
    node: NodeName,
    mut state: watch::Receiver<PresenceState>,
    outcomes: mpsc::Sender<MembershipOutcome>,
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
        if outcomes
            .send(MembershipOutcome::Presence(now))
            .await
            .is_err()
            || state.changed().await.is_err()
        {
            return;
        }
    }
}
