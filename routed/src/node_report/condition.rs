//! The condition `FlatlandReady` of the Node object (core/v1, `NodeCondition`).

use std::time::Instant;

use serde_json::{Value, json};

use crate::node_report::report::NodeReport;
use crate::time;
use crate::timeouts::NOT_READY_DELAY;

/// The type of the condition.
const TYPE: &str = "FlatlandReady";

/// The condition, without its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReadyCondition {
    /// Whether the node is ready for pods.
    pub(super) is_ready: bool,
    /// What it lacks, or that it lacks nothing.
    pub(super) message: String,
}

impl ReadyCondition {
    fn of(report: &NodeReport) -> Self {
        let is_ready = report.missing.is_empty();
        Self {
            is_ready,
            message: if is_ready {
                "pods of this node have a network".to_owned()
            } else {
                report.missing.join("; ")
            },
        }
    }

    /// The condition that a Node object has, and since when it has this status.
    pub(super) fn find(node: &Value) -> Option<(Self, String)> {
        let all = node["status"]["conditions"].as_array()?;
        let found = all.iter().find(|condition| condition["type"] == TYPE)?;
        let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
        let condition = Self {
            is_ready: found["status"] == "True",
            message: text("message"),
        };
        Some((condition, text("lastTransitionTime")))
    }

    /// The value of `status`.
    pub(super) fn status(&self) -> &'static str {
        if self.is_ready { "True" } else { "False" }
    }

    /// The strategic merge patch of the Node's status. `before` is the condition that the Node has;
    /// `now` is in seconds since 1970.
    pub(super) fn patch(&self, before: Option<&(Self, String)>, now: u64) -> Value {
        let now = time::rfc3339(now);
        let since = before.filter(|(before, _)| before.is_ready == self.is_ready);
        let since = since.map_or(&now, |(_, since)| since);
        json!({ "status": { "conditions": [{
            "type": TYPE,
            "status": self.status(),
            "reason": if self.is_ready { "FlatlandIsReady" } else { "FlatlandIsNotReady" },
            "message": self.message,
            "lastHeartbeatTime": now,
            "lastTransitionTime": since,
        }] } })
    }
}

/// Keeps the condition from flapping: a node that was ready counts as not ready only after it has
/// been so for a while, and a reason that changes is written when it lasts.
#[derive(Debug, Default)]
pub(super) struct Damper {
    settled: Option<ReadyCondition>,
    /// Another condition than the settled one, and since when its status is seen.
    next: Option<(ReadyCondition, Instant)>,
}

impl Damper {
    /// The condition to show, if the node's state is `report` at `now`.
    pub(super) fn settle(&mut self, report: &NodeReport, now: Instant) -> Option<ReadyCondition> {
        let condition = ReadyCondition::of(report);
        if condition.is_ready || self.settled.as_ref() == Some(&condition) {
            self.next = None;
            self.settled = Some(condition);
            return self.settled.clone();
        }
        let since = match &self.next {
            Some((next, since)) if *next == condition => *since,
            // Another reason for the same status does not start the time anew.
            Some((_, since)) if self.settled.as_ref().is_none_or(|it| it.is_ready) => *since,
            _ => now,
        };
        if now.saturating_duration_since(since) >= NOT_READY_DELAY {
            self.next = None;
            self.settled = Some(condition);
        } else {
            self.next = Some((condition, since));
        }
        self.settled.clone()
    }
}

#[cfg(test)]
mod tests;
