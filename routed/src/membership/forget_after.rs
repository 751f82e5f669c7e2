//! When a node is forgotten because it has been absent for long (`forgetAfter`). Pure.
//!
//! Time counts only while somebody looks, the registry is in reach and more than half of the nodes
//! are present: whoever is absent then is so for reasons of its own. It is counted by a clock that
//! nobody sets, by one node at a time, and kept in the registry, from where it goes as soon as the
//! node is present. What is lost when another node goes on with the count is lost in favour of the
//! absent.

use std::collections::BTreeMap;
use std::mem;
use std::time::{Duration, Instant};

use registry::{Absent, Census};
use wire::node::NodeName;

/// The times that follow from `forgetAfter`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ForgetTimes {
    /// `forgetAfter`.
    pub(crate) after: Duration,
}

impl ForgetTimes {
    /// The longest time between two looks.
    pub(crate) fn check_interval(&self) -> Duration {
        (self.after / 100).clamp(Duration::from_secs(1), Duration::from_secs(300))
    }

    /// How long no other node is forgotten after one was: there is time to notice a mistake.
    pub(crate) fn cooldown(&self) -> Duration {
        self.check_interval() * 2
    }

    /// How much is counted before it is written.
    fn write_step(&self) -> Duration {
        (self.after / 20).max(self.check_interval())
    }

    /// How long a node has to be seen absent without an interruption, whatever was counted before:
    /// a registry that came up from a backup may not know yet who has returned since.
    fn min_observed(&self) -> Duration {
        (self.after / 10).min(Duration::from_secs(600))
    }
}

/// What one node knows of the absences that it counts.
#[derive(Debug)]
pub(crate) struct AbsenceTracker {
    times: ForgetTimes,
    last: Option<Observation>,
    watched: BTreeMap<NodeName, Watched>,
    /// Nobody is forgotten before.
    paused_until: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Observation {
    at: Instant,
    interruptions: u64,
}

#[derive(Debug, Clone, Copy)]
struct Watched {
    /// As the registry had it at the last look.
    absent: Absent,
    /// Counted since, and not written yet.
    pending: Duration,
    /// How long it has been seen absent without an interruption.
    observed: Duration,
}

/// What is to be done after a look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Decision {
    /// Who is to be forgotten, if anybody, and after how long: the longest absent.
    pub(crate) forget: Option<(NodeName, Absent, Duration)>,
    /// Whose absence is to be written, and how many seconds of it count.
    pub(crate) write: Vec<(NodeName, Absent, u64)>,
    /// Whether nothing counts because too many are absent.
    pub(crate) too_many: bool,
}

impl AbsenceTracker {
    /// Has not looked yet.
    pub(crate) fn new(times: ForgetTimes) -> Self {
        Self {
            times,
            last: None,
            watched: BTreeMap::new(),
            paused_until: None,
        }
    }

    /// A look failed, or it is for another node to look.
    pub(crate) fn reset(&mut self) {
        self.last = None;
        self.watched.clear();
    }

    /// Takes in a look at `now`; `interruptions` counts the times at which the registry was out of
    /// reach. Node `own`, which looks, is never judged.
    pub(crate) fn observe(
        &mut self,
        census: &Census,
        own: &NodeName,
        interruptions: u64,
        now: Instant,
    ) -> Decision {
        let too_many = census.present <= census.absent.len();
        let this = Observation {
            at: now,
            interruptions,
        };
        let last = mem::replace(&mut self.last, (!too_many).then_some(this));
        let elapsed = last.and_then(|last| self.elapsed(last, this));
        let mut before = mem::take(&mut self.watched);
        let mut decision = Decision {
            too_many,
            ..Decision::default()
        };
        let others = census.absent.iter().filter(|(node, _)| *node != own);
        for (node, absent) in others {
            // What changed since was not absent all the time.
            let known = before.remove(node).filter(|known| known.absent == *absent);
            let mut watched = known.unwrap_or(Watched {
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
            // Until it is written nobody could tell that the node was back for a moment.
            if absent.counted == 0 {
                (watched.pending, watched.observed) = (Duration::ZERO, Duration::ZERO);
            }
            self.decide(node, &watched, now, &mut decision);
            self.watched.insert(node.clone(), watched);
        }
        decision
    }

    /// The time between two looks, if it counts.
    fn elapsed(&self, last: Observation, this: Observation) -> Option<Duration> {
        let elapsed = this.at - last.at;
        let is_whole = last.interruptions == this.interruptions;
        (is_whole && elapsed <= self.times.check_interval() * 3).then_some(elapsed)
    }

    fn decide(&self, node: &NodeName, watched: &Watched, now: Instant, decision: &mut Decision) {
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

    /// Nobody is to be forgotten until then. The registry makes sure of that too, whoever looks.
    pub(crate) fn pause_until(&mut self, until: Instant) {
        self.paused_until = Some(until);
    }

    /// The registry has so many seconds of a node's absence now, written at `revision`.
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
