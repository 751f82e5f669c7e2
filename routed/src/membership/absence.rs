//! Which nodes are absent: registered, but without the presence key (under a lease) that their
//! `routed` keeps in the registry. Absence is shown and logged, and changes nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use wire::node::NodeName;

use crate::log::{Line, LineKind};
use crate::membership::ABSENCE_LOG_DELAY;

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

impl Absences {
    /// The whole registry was read: these nodes are registered, each present (`true`) or not.
    pub(crate) fn reset<'a>(
        &mut self,
        registered: impl Iterator<Item = (&'a NodeName, bool)>,
        now: Now,
    ) -> Vec<Line> {
        let mut before = mem::take(&mut self.by_node);
        self.unlogged.clear();
        let mut lines = Vec::new();
        for (node, is_present) in registered {
            let known = before.remove(node);
            if is_present {
                lines.extend(known.and_then(|absence| returned(node, &absence, now)));
                continue;
            }
            let absence = known.unwrap_or(Absence {
                since: AbsentSince {
                    seconds: now.clock,
                    or_longer: true,
                },
                log_at: Some(now.instant + ABSENCE_LOG_DELAY),
            });
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
    ) -> Option<Line> {
        if is_registered && !is_present {
            if !self.by_node.contains_key(node) {
                let since = AbsentSince {
                    seconds: now.clock,
                    or_longer: false,
                };
                let tell_at = Some(now.instant + ABSENCE_LOG_DELAY);
                self.insert(
                    node,
                    Absence {
                        since,
                        log_at: tell_at,
                    },
                );
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
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Line> {
        let mut lines = Vec::new();
        while self.unlogged.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, node)) = self.unlogged.pop_first()
        {
            if let Some(absence) = self.by_node.get_mut(&node) {
                absence.log_at = None;
            }
            let text = format!(
                "node {node} is absent: its routed has stopped, or the node is gone or cut off \
                 from etcd; its routes stay. If it is gone for good: routed forget {node}"
            );
            lines.push(Line::new(LineKind::Absent, text).node(node));
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
fn returned(node: &NodeName, absence: &Absence, now: Now) -> Option<Line> {
    let seconds = now.clock.saturating_sub(absence.since.seconds);
    let text = format!("node {node} is present again, after {seconds} s");
    let was_logged = absence.log_at.is_none();
    was_logged.then(|| Line::new(LineKind::Returned, text).node(node))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn node(name: &str) -> NodeName {
        NodeName::new(name).unwrap()
    }

    fn at(start: Instant, seconds: u64) -> Now {
        Now {
            instant: start + Duration::from_secs(seconds),
            clock: 1_000 + seconds,
        }
    }

    #[test]
    fn restart_is_not_logged_and_longer_absence_is_logged_once() {
        let (mut absences, start, n2) = (Absences::default(), Instant::now(), node("n2"));
        assert_eq!(absences.change(&n2, true, false, at(start, 0)), None);
        assert!(absences.due(at(start, 10).instant).is_empty());
        assert_eq!(absences.change(&n2, true, true, at(start, 11)), None);
        assert_eq!(absences.due_at(), None);

        absences.change(&n2, true, false, at(start, 20));
        let due = absences.due_at().unwrap();
        assert_eq!(due, start + Duration::from_secs(20) + ABSENCE_LOG_DELAY);
        let lines = absences.due(due);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].kind(), LineKind::Absent);
        assert!(absences.due(due).is_empty(), "logged already");
        // A repeated event changes nothing.
        absences.change(&n2, true, false, at(start, 60));
        assert_eq!(absences.since(&n2).map(|since| since.seconds), Some(1_020));
        let line = absences.change(&n2, true, true, at(start, 80)).unwrap();
        assert_eq!(
            line,
            Line::new(
                LineKind::Returned,
                "node n2 is present again, after 60 s".into()
            )
            .node("n2")
        );
    }

    #[test]
    fn forgotten_node_is_dropped_without_a_line() {
        let (mut absences, start, n2) = (Absences::default(), Instant::now(), node("n2"));
        absences.change(&n2, true, false, at(start, 0));
        absences.due(at(start, 60).instant);
        assert_eq!(absences.change(&n2, false, false, at(start, 61)), None);
        assert_eq!(absences.all().len(), 0);
    }

    #[test]
    fn node_absent_at_first_has_been_for_longer() {
        let (mut absences, start) = (Absences::default(), Instant::now());
        let [n2, n3] = [node("n2"), node("n3")];
        absences.reset([(&n2, false), (&n3, false)].into_iter(), at(start, 0));
        let since = AbsentSince {
            seconds: 1_000,
            or_longer: true,
        };
        assert_eq!(absences.since(&n2), Some(since));
        absences.due(at(start, 60).instant);
        let lines = absences.reset([(&n2, true), (&n3, false)].into_iter(), at(start, 90));
        assert_eq!(lines.len(), 1, "n2 is back");
        assert_eq!(absences.since(&n3), Some(since), "and n3 is not");
        let lines = absences.reset([(&n2, true)].into_iter(), at(start, 99));
        assert!(lines.is_empty(), "n3 was forgotten meanwhile");
    }
}
