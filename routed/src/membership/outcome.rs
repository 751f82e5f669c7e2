//! What the task that registers this node reports to the event loop.

use registry::owned::Owned;
use registry::{Error, PresenceState};

/// A report of the task.
#[derive(Debug)]
pub(crate) enum MembershipOutcome {
    /// The registry has this node's record, and these are its claims.
    Joined(Owned),
    /// Other nodes have some of this node's subnets; these are left.
    SubnetsLost(Owned),
    /// Joining has failed so far, for this reason. The task tries again.
    Delayed(String),
    /// Whether peers can see that this node is alive.
    Presence(PresenceState),
    /// Joining cannot succeed until the configuration is changed.
    ConfigRejected(Error),
}
