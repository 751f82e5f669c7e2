//! What the daemon notes along the way for those who ask.

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

/// Upper bounds for the duration of a pass, in seconds.
const BUCKETS: [f64; 9] = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 2.5];

/// What is counted along the way. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Timings {
    pub(super) passes: Histogram,
    pub(super) failed: Counter,
}

impl Timings {
    /// Nothing has happened yet.
    pub(crate) fn new() -> Self {
        Self {
            passes: Histogram::new(BUCKETS),
            failed: Counter::default(),
        }
    }

    /// The kernel's routes were compared and put right in so much time.
    pub(crate) fn passed(&self, took: Duration) {
        self.passes.observe(took.as_secs_f64());
    }

    /// They could not be compared.
    pub(crate) fn failed(&self) {
        self.failed.inc();
    }
}

/// The notes.
#[derive(Debug)]
pub(crate) struct Health {
    /// When the daemon started, in seconds since 1970.
    pub(crate) since: u64,
    /// Since when the registry is out of reach, and why; `None` while it is not.
    pub(crate) outage: Option<(Instant, String)>,
    /// Who is absent.
    pub(crate) absences: Absences,
    /// Why this node cannot join the network, or renew its place in it.
    pub(crate) join_why: Option<String>,
    /// Whether peers can see that this node is alive.
    pub(crate) presence: PresenceState,
    /// How long passes take.
    pub(crate) timings: Timings,
}

impl Health {
    /// An empty one.
    pub(crate) fn new(timings: Timings) -> Self {
        Self {
            since: now().clock,
            outage: None,
            absences: Absences::default(),
            join_why: None,
            presence: PresenceState::Starting,
            timings,
        }
    }

    /// The registry cannot be reached.
    pub(crate) fn disconnected(&mut self, why: String) {
        warn!("the registry is out of reach: {why}; routes stay, trying goes on");
        self.outage = Some((Instant::now(), why));
    }

    /// It can again.
    pub(crate) fn connected(&mut self) {
        info!("the registry is back");
        self.outage = None;
    }

    /// The registry was seen whole.
    pub(crate) fn registry_seen(&mut self, peers: &Rib) {
        let nodes = peers.nodes().map(|(node, _)| node);
        let registered = nodes.map(|node| (node, peers.presence(node).is_some()));
        log::emit_lines(self.absences.reset(registered, now()));
    }

    /// Something about these nodes changed in the registry.
    pub(crate) fn nodes_changed(&mut self, nodes: &[NodeName], peers: &Rib) {
        let mut lines = Vec::new();
        for node in nodes {
            let is_present = peers.presence(node).is_some();
            let is_registered = peers.is_registered(node);
            let line = self.absences.change(node, is_registered, is_present, now());
            lines.extend(line);
        }
        log::emit_lines(lines);
    }

    /// Tells what is due.
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
