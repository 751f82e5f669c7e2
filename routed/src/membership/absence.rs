//! Which nodes are absent: registered, but without the presence key (under a lease) that their
//! `routed` keeps in the registry. Absence is shown and logged, and changes nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use wire::node::NodeName;

use crate::log::{LineKind, LogLine};
use crate::timeouts::ABSENCE_LOG_DELAY;

/// The absent nodes.
#[derive(Debug, Default)]
pub(crate) struct Absences {
    by_node: BTreeMap<NodeName, Absence>,
    /// The absences that are not logged yet, by the time at which they will be.
    unlogged: BTreeSet<(Instant, NodeName)>,
}

/// Since when a node has been absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AbsentSince {
    /// Seconds since 1970, by this node's clock.
    pub(crate) seconds: u64,
    /// Whether it was absent already when this node first read the registry.
    pub(crate) or_longer: bool,
}

#[derive(Debug)]
struct Absence {
    since: AbsentSince,
    /// When to log it; `None` once that is done.
    log_at: Option<Instant>,
}

/// The present time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// For time-outs.
    pub(crate) instant: Instant,
    /// For display: seconds since 1970.
    pub(crate) clock: u64,
}

impl Absence {
    fn new(now: Now, or_longer: bool) -> Self {
        Self {
            since: AbsentSince {
                seconds: now.clock,
                or_longer,
            },
            log_at: Some(now.instant + ABSENCE_LOG_DELAY),
        }
    }
}

impl Absences {
    /// The whole registry was read: these nodes are registered, each present (`true`) or not.
    pub(crate) fn reset<'a>(
        &mut self,
        registered: impl Iterator<Item = (&'a NodeName, bool)>,
        now: Now,
    ) -> Vec<LogLine> {
        let mut before = mem::take(&mut self.by_node);
        self.unlogged.clear();
        let mut lines = Vec::new();
        for (node, is_present) in registered {
            let known = before.remove(node);
            if is_present {
                lines.extend(known.and_then(|absence| returned(node, &absence, now)));
                continue;
            }
            let absence = known.unwrap_or_else(|| Absence::new(now, true));
            self.insert(node, absence);
        }
        lines
    }

    fn insert(&mut self, node: &NodeName, absence: Absence) {
        self.unlogged
            .extend(absence.log_at.map(|at| (at, node.clone())));
        self.by_node.insert(node.clone(), absence);
    }

    fn remove(&mut self, node: &NodeName) -> Option<Absence> {
        let absence = self.by_node.remove(node)?;
        if let Some(at) = absence.log_at {
            self.unlogged.remove(&(at, node.clone()));
        }
        Some(absence)
    }

    /// A node's record or presence changed.
    pub(crate) fn change(
        &mut self,
        node: &NodeName,
        is_registered: bool,
        is_present: bool,
        now: Now,
    ) -> Option<LogLine> {
        if is_registered && !is_present {
            if !self.by_node.contains_key(node) {
                self.insert(node, Absence::new(now, false));
            }
            return None;
        }
        let absence = self.remove(node)?;
        if is_registered {
            returned(node, &absence, now)
        } else {
            None
        }
    }

    /// The lines to log at `now`.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<LogLine> {
        let mut lines = Vec::new();
        while self.unlogged.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, node)) = self.unlogged.pop_first()
        {
            if let Some(absence) = self.by_node.get_mut(&node) {
                absence.log_at = None;
            }
            let text = format!(
                "node {node} is absent: its routed (with Kubernetes as the registry: its kubelet) has \
                 stopped, or the node is gone or cut off from the registry; its routes stay. If it is \
                 gone for good: routed forget {node} (kubectl delete node {node})"
            );
            lines.push(LogLine::new(LineKind::Absent, text).with("node", node));
        }
        lines
    }

    /// When there is a line to log.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        self.unlogged.first().map(|(at, _)| *at)
    }

    /// Since when a node has been absent, if it is.
    pub(crate) fn since(&self, node: &NodeName) -> Option<AbsentSince> {
        self.by_node.get(node).map(|absence| absence.since)
    }

    /// The absent nodes.
    pub(crate) fn all(&self) -> impl ExactSizeIterator<Item = (&NodeName, AbsentSince)> {
        self.by_node.iter().map(|(node, it)| (node, it.since))
    }
}

/// Logs the return only if the absence was logged.
fn returned(node: &NodeName, absence: &Absence, now: Now) -> Option<LogLine> {
    let seconds = now.clock.saturating_sub(absence.since.seconds);
    let text = format!("node {node} is present again, after {seconds} s");
    let was_logged = absence.log_at.is_none();
    was_logged.then(|| LogLine::new(LineKind::Returned, text).with("node", node))
}

#[cfg(test)]
mod tests;
