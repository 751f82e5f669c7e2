//! Limits how often a key of ours is written again that another writer keeps changing.

use std::time::{Duration, Instant};

use crate::policy::{REWRITE_BACKOFF, REWRITE_CALM_TIME};

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
        if self.last.is_none_or(|last| now >= last + REWRITE_CALM_TIME) {
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
