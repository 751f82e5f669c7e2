//! Time-outs, pauses and limits of `flatland-policy`, all in one place.

use std::time::Duration;

use wire::backoff::Backoff;

/// Between two looks for a definition that is not installed: between half of this and all of it, so
/// that the nodes of a cluster do not look at the same time.
pub const DEFINITION_LOOK_INTERVAL: Backoff = Backoff {
    first: Duration::from_secs(300),
    most: Duration::from_secs(300),
};

/// The same where objects of the definition were there before: an API server that has just started may
/// not know all definitions yet, so it is asked a second time before they count as gone.
pub const GONE_DEFINITION_CONFIRMATION: Backoff = Backoff {
    first: Duration::from_secs(30),
    most: Duration::from_secs(30),
};

/// Between attempts to bring the rules into the kernel.
pub const APPLY_BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(50),
    most: Duration::from_secs(10),
};

/// The shortest time between two replacements of a table that others change: they are not fought over
/// in a loop.
pub const REPLACE_INTERVAL: Duration = Duration::from_secs(1);

/// The shortest time between two looks at the connections of pods.
pub const CUT_INTERVAL: Duration = Duration::from_secs(1);

/// A look at the connections that took some time is followed by a pause this many times as long.
pub const CUT_COOLDOWN_FACTOR: u32 = 20;

/// A denied connection that was logged is not logged again for this long.
pub const DENIAL_INTERVAL: Duration = Duration::from_secs(10);

/// At most this many denied connections are logged in [`DENIAL_INTERVAL`].
pub const MAX_DENIALS: usize = 100;

/// At most this many events of the API server are handled in one transaction.
pub const MAX_EVENTS: usize = 1_000;
