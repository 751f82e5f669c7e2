//! Which nodes are alive: a node's own presence, which nodes are absent, and the nodes that are
//! forgotten.

use std::collections::BTreeMap;

use ipnet::IpNet;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use wire::node::NodeName;

use crate::records::{NodeRecord, Presence};

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

/// Who is there and who is not, at one revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// How many registered nodes are present.
    pub present: usize,
    /// The registered nodes that are not.
    pub absent: BTreeMap<NodeName, Absent>,
}

/// A node that is absent, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absent {
    /// The revision that the node's record was written at. A record that is written anew is a sign
    /// of life.
    pub record: i64,
    /// The revision that `seconds` was written at; 0 when it is not. A node that is present for a
    /// moment takes it away.
    pub counted: i64,
    /// The time that counts of its absence.
    pub seconds: u64,
}

/// What came of forgetting a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forget {
    /// The registry has nothing of it any more. This is what it had.
    Done(Forgotten),
    /// Nothing changed, because its `routed` is alive; `None` where its presence cannot be read.
    Present(Option<Presence>),
    /// The registry has nothing of a node of that name.
    Unknown,
}

/// What the registry had of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Its record, where that could be read.
    pub record: Option<NodeRecord>,
    /// Its presence, where there was one that could be read.
    pub presence: Option<Presence>,
    /// Its claims.
    pub subnets: Vec<IpNet>,
}

impl Forgotten {
    /// Takes in what a later look found.
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
