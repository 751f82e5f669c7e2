//! Limits how often a key of ours is written again that another writer keeps changing.

use std::time::{Duration, Instant};

use crate::policy::Backoff;

/// Between two rewrites of one key. Up to half of it is jitter.
const REWRITE_BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(1),
    most: Duration::from_secs(60),
};

/// After this long without a rewrite, the next one is made at once again.
const CALM_AFTER: Duration = Duration::from_secs(180);

/// So many rewrites in a row are made at once.
const MAX_AT_ONCE: u32 = 3;

/// The rewrites of one key, or of keys that are written together: the first three are made at once,
/// the following after pauses that double.
#[derive(Debug, Default)]
pub struct RewriteLimit {
    rewrites: u32,
    last: Option<Instant>,
}

impl RewriteLimit {
    /// The pause before a rewrite that is due at `now`. Counts it as made after that pause.
    pub fn pause(&mut self, now: Instant) -> Duration {
        if self.last.is_none_or(|last| now >= last + CALM_AFTER) {
            self.rewrites = 0;
        }
        let pause = match self.rewrites.saturating_sub(MAX_AT_ONCE - 1) {
            0 => Duration::ZERO,
            too_many => REWRITE_BACKOFF.pause(too_many),
        };
        self.rewrites += 1;
        self.last = Some(now + pause);
        pause
    }
}

#[cfg(test)]
mod tests;
