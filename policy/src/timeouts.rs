//! Intervals and limits of `flatland-policy`.

use std::time::Duration;

use wire::backoff::Backoff;

/// Between two looks for a definition that is not installed: between half of this and all of it, so
/// that the nodes of a cluster do not look at the same time.
pub(crate) const DEFINITION_LOOK_INTERVAL: Backoff = Backoff {
    first: Duration::from_secs(300),
    most: Duration::from_secs(300),
};

/// The same where objects of the definition were there before: an API server that has just started may
/// not know all definitions yet, so it is asked a second time before they count as gone.
pub(crate) const GONE_DEFINITION_CONFIRMATION: Backoff = Backoff {
    first: Duration::from_secs(30),
    most: Duration::from_secs(30),
};
