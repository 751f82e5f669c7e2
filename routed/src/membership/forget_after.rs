//! Decides when to forget a node that has been absent for long (`forgetAfter`). Pure.
//!
//! Time counts only while a node observes it, the registry is in reach and more than half of the
//! nodes are present: otherwise there is an outage, and not a node that left. One node at a time
//! counts, by a monotonic clock. The count is kept in the registry, and deleted there as soon as
//! the absent node is present. When another node continues the count, some time may be lost; the
//! absent node is then forgotten later, never earlier.

use std::collections::BTreeMap;
use std::mem;
use std::time::{Duration, Instant};

use registry::{Absent, Census};
use wire::node::NodeName;

use crate::timeouts::{MAX_FORGET_CHECK_INTERVAL, MAX_OBSERVED_ABSENCE, MIN_FORGET_CHECK_INTERVAL};

/// The intervals that are derived from `forgetAfter`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ForgetTimes {
    /// `forgetAfter`.
    pub(crate) after: Duration,
}

impl ForgetTimes {
    /// The longest time between two checks.
    pub(crate) fn check_interval(&self) -> Duration {
        (self.after / 100).clamp(MIN_FORGET_CHECK_INTERVAL, MAX_FORGET_CHECK_INTERVAL)
    }

    /// After a node was forgotten, no other one is forgotten for this long, so that an operator can
    /// notice a mistake.
    pub(crate) fn cooldown(&self) -> Duration {
        self.check_interval() * 2
    }

    /// How much time is counted before it is written to the registry.
    fn write_step(&self) -> Duration {
        (self.after / 20).max(self.check_interval())
    }

    /// How long a node has to be observed absent without an interruption, whatever was counted
    /// before: a registry restored from a backup may not show yet which nodes have returned.
    fn min_observed(&self) -> Duration {
        (self.after / 10).min(MAX_OBSERVED_ABSENCE)
    }
}

/// Counts the absences of all nodes, on the node that is in charge of that.
#[derive(Debug)]
pub(crate) struct AbsenceTracker {
    times: ForgetTimes,
    last: Option<Observation>,
    watched: BTreeMap<NodeName, TrackedAbsence>,
    /// No node is forgotten before this time.
    paused_until: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Observation {
    at: Instant,
    interruptions: u64,
}

#[derive(Debug, Clone, Copy)]
struct TrackedAbsence {
    /// As the registry had it at the last check.
    absent: Absent,
    /// Counted since then, and not written yet.
    pending: Duration,
    /// How long it has been observed absent without an interruption.
    observed: Duration,
}

/// What to do after a check.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ForgetDecision {
    /// The node to forget, and how long it was absent: the one that was absent longest.
    pub(crate) forget: Option<(NodeName, Absent, Duration)>,
    /// The nodes whose absence is to be written, and how many seconds count.
    pub(crate) write: Vec<(NodeName, Absent, u64)>,
    /// Whether nothing counts because too many are absent.
    pub(crate) too_many: bool,
}

impl AbsenceTracker {
    /// A tracker that has observed nothing yet.
    pub(crate) fn new(times: ForgetTimes) -> Self {
        Self {
            times,
            last: None,
            watched: BTreeMap::new(),
            paused_until: None,
        }
    }

    /// A check failed, or another node is in charge.
    pub(crate) fn reset(&mut self) {
        self.last = None;
        self.watched.clear();
    }

    /// Takes in what the registry shows at `now`. `interruptions` counts how often the registry was
    /// out of reach. Node `own`, which observes, is left out.
    pub(crate) fn observe(
        &mut self,
        census: &Census,
        own: &NodeName,
        interruptions: u64,
        now: Instant,
    ) -> ForgetDecision {
        let too_many = census.present <= census.absent.len();
        let this = Observation {
            at: now,
            interruptions,
        };
        let last = mem::replace(&mut self.last, (!too_many).then_some(this));
        let elapsed = last.and_then(|last| self.elapsed(last, this));
        let mut before = mem::take(&mut self.watched);
        let mut decision = ForgetDecision {
            too_many,
            ..ForgetDecision::default()
        };
        let others = census.absent.iter().filter(|(node, _)| *node != own);
        for (node, absent) in others {
            // A node whose keys changed was not absent all the time.
            let known = before.remove(node).filter(|known| known.absent == *absent);
            let mut watched = known.unwrap_or(TrackedAbsence {
                absent: *absent,
                pending: Duration::ZERO,
                observed: Duration::ZERO,
            });
            match elapsed.filter(|_| known.is_some() && !too_many) {
                Some(elapsed) => {
                    watched.pending += elapsed;
                    watched.observed += elapsed;
                }
                None => watched.observed = Duration::ZERO,
            }
            // Until the count is written, a short return of the node could not be noticed.
            if absent.counted == 0 {
                (watched.pending, watched.observed) = (Duration::ZERO, Duration::ZERO);
            }
            self.decide(node, &watched, now, &mut decision);
            self.watched.insert(node.clone(), watched);
        }
        decision
    }

    /// The time between two checks, if it counts.
    fn elapsed(&self, last: Observation, this: Observation) -> Option<Duration> {
        let elapsed = this.at - last.at;
        let is_uninterrupted = last.interruptions == this.interruptions;
        (is_uninterrupted && elapsed <= self.times.check_interval() * 3).then_some(elapsed)
    }

    fn decide(
        &self,
        node: &NodeName,
        watched: &TrackedAbsence,
        now: Instant,
        decision: &mut ForgetDecision,
    ) {
        if decision.too_many {
            return;
        }
        let absent = watched.absent;
        let total = Duration::from_secs(absent.seconds) + watched.pending;
        if absent.counted == 0 || watched.pending >= self.times.write_step() {
            decision.write.push((node.clone(), absent, total.as_secs()));
        }
        let is_paused = self.paused_until.is_some_and(|until| now < until);
        let is_over = total >= self.times.after && watched.observed >= self.times.min_observed();
        let is_due = is_over && !is_paused && absent.counted != 0;
        let is_longest = decision
            .forget
            .as_ref()
            .is_none_or(|(_, _, longest)| total > *longest);
        if is_due && is_longest {
            decision.forget = Some((node.clone(), absent, total));
        }
    }

    /// No node is forgotten until then. The registry enforces that too, for all nodes.
    pub(crate) fn pause_until(&mut self, until: Instant) {
        self.paused_until = Some(until);
    }

    /// `seconds` of a node's absence were written to the registry, at `revision`.
    pub(crate) fn recorded(&mut self, node: &NodeName, seconds: u64, revision: i64) {
        if let Some(watched) = self.watched.get_mut(node) {
            let more = Duration::from_secs(seconds.saturating_sub(watched.absent.seconds));
            watched.pending = watched.pending.saturating_sub(more);
            watched.absent.seconds = seconds;
            watched.absent.counted = revision;
        }
    }
}

#[cfg(test)]
mod tests;
