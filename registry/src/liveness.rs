//! Which nodes are alive: the presence of this node, absent nodes, and forgotten nodes.

use std::collections::BTreeMap;

use ipnet::IpNet;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use wire::node::NodeName;

use crate::records::{NodeRecord, Presence};

/// Whether the registry shows this node as alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PresenceState {
    /// No attempt has ended yet.
    Starting,
    /// The presence key is there.
    Present,
    /// The presence key is gone, or will expire soon; or the node is not registered. Attempts go on.
    Lost {
        /// The reason.
        why: String,
    },
    /// Another machine or session holds the node's name. Attempts go on.
    Refused {
        /// The reason; it names both machines.
        why: String,
    },
}

/// Keeps a node present. [`PresenceHandle::stop`] withdraws the presence at once. Dropping the
/// handle withdraws it soon after; if the process is killed, the lease expires.
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

    /// For a backend that stores no presence.
    pub(crate) fn without_lease() -> Self {
        Self {
            state: watch::channel(PresenceState::Present).1,
            task: None,
        }
    }

    /// The present state, and every change of it.
    pub fn state(&self) -> watch::Receiver<PresenceState> {
        self.state.clone()
    }

    /// Withdraws the presence, and waits until that succeeded or timed out.
    pub async fn stop(mut self) {
        if let Some((stop, task)) = self.task.take() {
            // Failures mean that the task has ended already.
            let _ = stop.send(());
            let _ = task.await;
        }
    }
}

/// Which registered nodes are present and which are absent, at one revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// How many registered nodes are present.
    pub present: usize,
    /// The registered nodes that are absent.
    pub absent: BTreeMap<NodeName, Absent>,
}

/// For how long a node has been absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absent {
    /// The revision of the node's record. A record that is written again is a sign of life.
    pub record: i64,
    /// The revision of the key that holds `seconds`; 0 if there is none. The key is deleted when
    /// the node is present, even for a moment.
    pub counted: i64,
    /// The counted time of its absence.
    pub seconds: u64,
}

/// The result of forgetting a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forget {
    /// The registry holds nothing of the node any more; this is what it held.
    Done(Forgotten),
    /// Nothing changed, because the node's `routed` is alive. `None` if its presence record cannot
    /// be read.
    Present(Option<Presence>),
    /// The registry has no node of that name.
    Unknown,
}

/// What the registry held of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Its record, if it could be read.
    pub record: Option<NodeRecord>,
    /// Its presence, if there was one and it could be read.
    pub presence: Option<Presence>,
    /// Its claims.
    pub subnets: Vec<IpNet>,
}

impl Forgotten {
    /// Merges what a later read found.
    pub(crate) fn add(&mut self, later: &Self) {
        self.record = later.record.clone().or(self.record.take());
        self.presence = later.presence.clone().or(self.presence.take());
        for subnet in &later.subnets {
            if !self.subnets.contains(subnet) {
                self.subnets.push(*subnet);
            }
        }
    }
}
