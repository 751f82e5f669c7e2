//! Next hops that do not answer: the kernel's neighbour entry of the address has failed. Pure.
//!
//! Such an address is used again only after [`SILENT_HOP_AVOIDANCE_TIME`], so that routes do not flap, and only
//! once it has answered. Because no packet goes there meanwhile, `routed` makes the kernel ask. A peer
//! that is merely quiet (a stale entry, or none) is not among them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use crate::timeouts::{SILENT_HOP_AVOIDANCE_TIME, SILENT_HOP_PROBE_INTERVAL};

/// At most this many are asked at once; the others have their turn later.
const MAX_PROBES: usize = 64;

/// A next hop: the index of its link, and its address.
pub(crate) type Hop = (u32, IpAddr);

/// The next hops that do not answer.
#[derive(Debug, Default)]
pub(crate) struct SilentHops(BTreeMap<Hop, Silence>);

#[derive(Debug)]
struct Silence {
    /// Not used before.
    until: Instant,
    /// When to ask again.
    probe_at: Instant,
    answers: bool,
}

impl SilentHops {
    /// The entry of `hop` has failed. Returns whether that is new.
    pub(crate) fn failed(&mut self, hop: Hop, now: Instant) -> bool {
        let is_new = !self.0.contains_key(&hop);
        let silence = self.0.entry(hop).or_insert(Silence {
            until: now + SILENT_HOP_AVOIDANCE_TIME,
            probe_at: now,
            answers: false,
        });
        silence.answers = false;
        silence.probe_at = now + SILENT_HOP_PROBE_INTERVAL;
        is_new
    }

    /// The hop answered.
    pub(crate) fn answered(&mut self, hop: Hop) {
        if let Some(silence) = self.0.get_mut(&hop) {
            silence.answers = true;
        }
    }

    /// Whether the hop is to be avoided.
    pub(crate) fn contains(&self, hop: Hop) -> bool {
        self.0.contains_key(&hop)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Hop> {
        self.0.keys().copied()
    }

    /// Drops those for which `keep` is false: their link or their peer is gone.
    pub(crate) fn retain(&mut self, keep: impl Fn(Hop) -> bool) {
        self.0.retain(|hop, _| keep(*hop));
    }

    /// Takes out those that answer and may be used again.
    pub(crate) fn take_returned(&mut self, now: Instant) -> Vec<Hop> {
        let is_back = |silence: &Silence| silence.answers && silence.until <= now;
        let back = self.0.iter().filter(|(_, silence)| is_back(silence));
        let back: Vec<Hop> = back.map(|(hop, _)| *hop).collect();
        for hop in &back {
            self.0.remove(hop);
        }
        back
    }

    /// Those to ask now.
    pub(crate) fn take_probes(&mut self, now: Instant) -> Vec<Hop> {
        let due = self.0.iter_mut().map(|(hop, silence)| (*hop, silence));
        let due = due.filter(|(_, silence)| !silence.answers && silence.probe_at <= now);
        let mut hops = Vec::new();
        for (hop, silence) in due.take(MAX_PROBES) {
            silence.probe_at = now + SILENT_HOP_PROBE_INTERVAL;
            hops.push(hop);
        }
        hops
    }

    /// When something is due next.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        let due = |silence: &Silence| {
            if silence.answers {
                silence.until
            } else {
                silence.probe_at
            }
        };
        self.0.values().map(due).min()
    }
}

#[cfg(test)]
mod tests;
