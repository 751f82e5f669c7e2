//! When the routes are compared and put right, so that a flood of events is met with few passes.

use std::time::{Duration, Instant};

use tracing::error;

use crate::daemon::{Daemon, PAUSES};

/// The least time from the end of one pass to the start of the next: a flood of events is met with
/// few passes.
const BREATH: Duration = Duration::from_millis(10);

/// A pass over all routes is followed by a rest from such passes, so many times as long as it took,
/// so that a flood costs no more than a fraction of a processor; but not by a rest so long that
/// somebody misses a route.
const REST: u32 = 4;
const LONGEST_REST: Duration = Duration::from_millis(80);

impl Daemon {
    /// One pass.
    pub(super) fn pass(&mut self, now: Instant) {
        let links = self.reconciler.links().to_vec();
        let is_over_all = self.reconciler.is_all_dirty();
        match self.reconciler.pass(now) {
            Ok(()) => {
                self.failed_passes = 0;
                self.pass_failure.clear();
                let end = Instant::now();
                self.health.timings.passed(end - now);
                self.next_pass_at = end + BREATH;
                if is_over_all {
                    self.next_full_pass_at = end + ((end - now) * REST).min(LONGEST_REST);
                }
            }
            Err(why) => {
                self.failed_passes += 1;
                self.health.timings.failed();
                self.next_pass_at = now + PAUSES.pause(self.failed_passes);
                let text = format!("the kernel's routes cannot be compared: {why}; trying again");
                if self.pass_failure.changed(&text) {
                    error!("{text}");
                }
            }
        }
        if links != self.reconciler.links() {
            self.setup_due_at = Some(now);
        }
    }

    /// When the next pass is due, if there is a reason for one.
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
