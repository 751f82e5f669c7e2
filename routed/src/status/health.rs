//! What the daemon records about itself for the status and the metrics: outages, absences, timings.

use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use registry::PresenceState;
use tracing::{info, warn};
use wire::clock::unix_seconds;
use wire::node::NodeName;

use crate::log;
use crate::membership::absence::{Absences, Now};
use crate::rib::Rib;

/// Upper bounds of the histogram of pass durations, in seconds.
const PASS_BUCKETS: [f64; 9] = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 2.5];

/// Durations and failures of passes. Clones share their counts.
#[derive(Debug, Clone)]
pub(crate) struct Timings {
    pub(super) passes: Histogram,
    pub(super) failed: Counter,
}

impl Timings {
    /// All counts are zero.
    pub(crate) fn new() -> Self {
        Self {
            passes: Histogram::new(PASS_BUCKETS),
            failed: Counter::default(),
        }
    }

    /// A pass succeeded after `duration`.
    pub(crate) fn passed(&self, duration: Duration) {
        self.passes.observe(duration.as_secs_f64());
    }

    /// A pass failed.
    pub(crate) fn failed(&self) {
        self.failed.inc();
    }
}

/// The health of the daemon and of its connection to the registry.
#[derive(Debug)]
pub(crate) struct Health {
    /// When the daemon started, in seconds since 1970.
    pub(crate) since: u64,
    /// Since when the registry is out of reach, and why; `None` while it is in reach.
    pub(crate) outage: Option<(Instant, String)>,
    /// The absent nodes.
    pub(crate) absences: Absences,
    /// Why this node cannot register, or renew its registration.
    pub(crate) join_failure: Option<String>,
    /// Whether peers can see that this node is alive.
    pub(crate) presence: PresenceState,
    /// Durations and failures of passes.
    pub(crate) timings: Timings,
}

impl Health {
    /// The health at the start of the daemon.
    pub(crate) fn new(timings: Timings) -> Self {
        Self {
            since: now().clock,
            outage: None,
            absences: Absences::default(),
            join_failure: None,
            presence: PresenceState::Starting,
            timings,
        }
    }

    /// The registry cannot be reached.
    pub(crate) fn disconnected(&mut self, why: String) {
        warn!(error = %why, "the registry is out of reach: {why}; routes stay, trying again");
        let since = self
            .outage
            .as_ref()
            .map_or_else(Instant::now, |(since, _)| *since);
        self.outage = Some((since, why));
    }

    /// The registry is in reach again.
    pub(crate) fn connected(&mut self) {
        info!("the registry is back");
        self.outage = None;
    }

    /// The whole registry was read.
    pub(crate) fn registry_seen(&mut self, rib: &Rib) {
        let nodes = rib.nodes().map(|(node, _)| node);
        let registered = nodes.map(|node| (node, rib.presence(node).is_some()));
        log::emit_lines(self.absences.reset(registered, now()));
    }

    /// The records or presences of these nodes changed in the registry.
    pub(crate) fn nodes_changed(&mut self, nodes: &[NodeName], rib: &Rib) {
        let mut lines = Vec::new();
        for node in nodes {
            let is_present = rib.presence(node).is_some();
            let is_registered = rib.is_registered(node);
            let line = self.absences.change(node, is_registered, is_present, now());
            lines.extend(line);
        }
        log::emit_lines(lines);
    }

    /// Logs the absences that are due at `now`.
    pub(crate) fn log_due(&mut self, now: Instant) {
        if self.absences.due_at().is_some_and(|at| at <= now) {
            log::emit_lines(self.absences.due(now));
        }
    }
}

fn now() -> Now {
    Now {
        instant: Instant::now(),
        clock: unix_seconds(),
    }
}
