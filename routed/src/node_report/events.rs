//! Events on the Node object (core/v1, `Event`): what an operator has to do about this node.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use serde_json::{Value, json};
use wire::node::NodeName;
use wire::text::cut;

use crate::time;
use crate::timeouts::{EVENT_DELAY, EVENT_REPEAT_INTERVAL};

/// Events about objects without a namespace are in this one.
pub(super) const COLLECTION: &str = "/api/v1/namespaces/default/events";

/// The longest message of an Event, in bytes (1 KiB by its documentation).
const MAX_MESSAGE: usize = 1_000;

/// The longest name of an object, in bytes.
const MAX_NAME: usize = 253;

/// The length of the end of the name: a dot and 64 bits in hexadecimal.
const HASH_LENGTH: usize = 17;

/// At most this many troubles are remembered: they come from this node alone.
const MAX_TROUBLES: usize = 32;

/// An Event about one trouble of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NodeEvent {
    /// The name of the object: the same for the same trouble, so that it is not there twice.
    pub(super) name: String,
    node: NodeName,
    reason: &'static str,
    message: String,
}

/// Which troubles there are, and since when.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    troubles: BTreeMap<(&'static str, String), TroubleHistory>,
}

#[derive(Debug)]
struct TroubleHistory {
    since: Instant,
    written: Option<Instant>,
}

impl EventLog {
    /// The Events to write: of each trouble that lasts, now and again after a while.
    pub(super) fn due(
        &mut self,
        node: &NodeName,
        troubles: &[(&'static str, String)],
        now: Instant,
    ) -> Vec<NodeEvent> {
        // One that comes back within the interval is no news.
        self.troubles.retain(|trouble, seen| {
            let is_recent = |at: Instant| now.saturating_duration_since(at) < EVENT_REPEAT_INTERVAL;
            troubles.contains(trouble) || seen.written.is_some_and(is_recent)
        });
        for trouble in troubles {
            if self.troubles.len() < MAX_TROUBLES {
                let seen = TroubleHistory {
                    since: now,
                    written: None,
                };
                self.troubles.entry(trouble.clone()).or_insert(seen);
            }
        }
        let is_due = |seen: &TroubleHistory| match seen.written {
            None => now.saturating_duration_since(seen.since) >= EVENT_DELAY,
            Some(at) => now.saturating_duration_since(at) >= EVENT_REPEAT_INTERVAL,
        };
        let due = self.troubles.iter().filter(|(_, seen)| is_due(seen));
        due.map(|((reason, message), _)| NodeEvent::new(node, reason, message))
            .collect()
    }

    /// The Event was written.
    pub(super) fn written(&mut self, event: &NodeEvent, now: Instant) {
        let key = (event.reason, event.message.clone());
        if let Some(seen) = self.troubles.get_mut(&key) {
            seen.written = Some(now);
        }
    }
}

impl NodeEvent {
    fn new(node: &NodeName, reason: &'static str, message: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (node.as_str(), reason, message).hash(&mut hasher);
        // What is cut off must leave a valid name of a DNS domain.
        let start = cut(node.as_str(), MAX_NAME - HASH_LENGTH).trim_end_matches(['.', '-']);
        Self {
            name: format!("{start}.{:016x}", hasher.finish()),
            node: node.clone(),
            reason,
            message: message.to_owned(),
        }
    }

    /// The object; `now` is in seconds since 1970. The UID of the Node is its name, as in the
    /// kubelet's Events: `kubectl describe node` finds those.
    pub(super) fn create(&self, now: u64) -> Value {
        let (now, node) = (time::rfc3339(now), self.node.as_str());
        json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": { "name": self.name, "namespace": "default" },
            "involvedObject": { "apiVersion": "v1", "kind": "Node", "name": node, "uid": node },
            "type": "Warning",
            "reason": self.reason,
            "message": cut(&self.message, MAX_MESSAGE),
            "source": { "component": "routed", "host": node },
            "reportingComponent": "routed",
            "reportingInstance": node,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        })
    }

    /// The merge patch of an Event that is there already.
    pub(super) fn repeat(&self, now: u64) -> Value {
        json!({ "lastTimestamp": time::rfc3339(now), "message": cut(&self.message, MAX_MESSAGE) })
    }
}

/// The merge patch that counts one more of the Event `there`: kubectl shows how often it happened.
pub(super) fn count_after(there: &Value) -> Value {
    let count = there["count"].as_u64().unwrap_or(1);
    json!({ "count": count + 1 })
}

#[cfg(test)]
mod tests;
