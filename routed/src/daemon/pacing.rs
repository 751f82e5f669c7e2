//! When the routes are reconciled: passes are spaced out, so that many events cause few passes. And
//! when the daemon starts over.

use std::time::{Duration, Instant};

use ipnet::IpNet;
use tracing::error;
use wire::backoff::jitter;

use crate::daemon::Daemon;
use crate::timeouts::{
    MAX_PASS_COOLDOWN, MIN_PASS_INTERVAL, PASS_COOLDOWN_FACTOR, PASS_RETRY_BACKOFF,
    START_OVER_SPREAD,
};

impl Daemon {
    /// Runs one pass, and notes when the next one may start.
    pub(super) fn pass(&mut self, now: Instant) {
        let links = self.reconciler.links().to_vec();
        let is_full = self.reconciler.is_all_dirty();
        match self.reconciler.pass(now) {
            Ok(()) => {
                self.failed_passes = 0;
                self.pass_failure.clear();
                let end = Instant::now();
                self.health.timings.passed(end - now);
                self.next_pass_at = end + MIN_PASS_INTERVAL;
                if is_full {
                    self.next_full_pass_at =
                        end + ((end - now) * PASS_COOLDOWN_FACTOR).min(MAX_PASS_COOLDOWN);
                }
            }
            Err(error) => {
                self.failed_passes += 1;
                self.health.timings.failed();
                self.next_pass_at = now + PASS_RETRY_BACKOFF.pause(self.failed_passes);
                let text = format!("the kernel's routes cannot be compared: {error}; trying again");
                if self.pass_failure.changed(&text) {
                    error!(%error, "{text}");
                }
            }
        }
        if links != self.reconciler.links() {
            self.setup_due_at = Some(now);
        }
    }

    /// When the next pass is due; `None` if nothing is to be reconciled.
    pub(super) fn pass_at(&self) -> Option<Instant> {
        let retry = self
            .reconciler
            .retry_at()
            .map(|at| at.max(self.next_pass_at));
        if self.reconciler.is_all_dirty() {
            return Some(self.next_pass_at.max(self.next_full_pass_at));
        }
        let dirty = self.reconciler.is_dirty().then_some(self.next_pass_at);
        dirty.into_iter().chain(retry).min()
    }
}

/// How long to go on with the pod CIDRs `before`. A node that has none yet cannot serve pods, and
/// starts over alone: it has just joined.
pub(super) fn start_over_delay(before: &[IpNet]) -> Duration {
    if before.is_empty() {
        return Duration::ZERO;
    }
    jitter(START_OVER_SPREAD)
}

#[cfg(test)]
mod tests;
