//! How often a file of ours is put back that another program keeps changing.

use std::time::Instant;

use crate::timeouts::{
    CONFLIST_RESTORE_MEMORY, FIRST_CONFLIST_RESTORE_PAUSE, MAX_CONFLIST_RESTORE_PAUSE,
};

/// The times at which the file was put back.
#[derive(Debug, Default)]
pub(super) struct RestoreLimit {
    count: u32,
    last: Option<Instant>,
}

impl RestoreLimit {
    /// It was put back at `now`.
    pub(super) fn restored(&mut self, now: Instant) {
        self.forget(now);
        self.count += 1;
        self.last = Some(now);
    }

    /// Whether it may be put back at `now`.
    pub(super) fn allows(&self, now: Instant) -> bool {
        let doubled = 2_u32.saturating_pow(self.count.saturating_sub(1));
        let pause = FIRST_CONFLIST_RESTORE_PAUSE
            .saturating_mul(doubled)
            .min(MAX_CONFLIST_RESTORE_PAUSE);
        self.last.is_none_or(|last| now >= last + pause)
    }

    /// Whether it was put back more than once, and lately.
    pub(super) fn is_fight(&self) -> bool {
        self.count > 1
    }

    /// Starts anew if nothing happened for a while before `now`.
    pub(super) fn forget(&mut self, now: Instant) {
        if self
            .last
            .is_some_and(|last| now >= last + CONFLIST_RESTORE_MEMORY)
        {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests;
