//! Why a watch of a collection ends and begins again.

use crate::error::Error;

/// Why following ended.
#[derive(Debug)]
pub(crate) enum FollowEnd {
    /// The receiver was dropped.
    Closed,
    /// The server ended the watch, as it does from time to time.
    Over,
    /// This cluster has no such collection, for a receiver that takes it as an answer.
    Missing(String, Error),
    Failed(Error),
}

impl From<Error> for FollowEnd {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
