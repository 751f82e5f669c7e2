//! The faults that a test asks for, and the records of what clients asked.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What is wrong with the server. The default is nothing. Answers are taken by requests with a
/// valid token only.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// The answers to the next requests, one each.
    pub next: VecDeque<Answer>,
    /// The answers after those.
    pub then: Answer,
    /// The only verb that `next` and `then` are for, as `list`; otherwise all.
    pub verb: Option<&'static str>,
    /// The time before each answer.
    pub delay: Duration,
    /// The time before each part of an answer: an event, or 32 KiB of a list.
    pub part_delay: Duration,
    /// New connections are accepted and get no handshake, requests no answer, and watches no
    /// events, until this is false again.
    pub hang: bool,
    /// Each connection ends after one answer.
    pub close: bool,
    /// The resource whose definition is not installed: 404 for each request for it.
    pub missing: Option<&'static str>,
    /// This many events are replaced by a line that is no JSON.
    pub garbage_events: u32,
}

/// The answer to one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Answer {
    /// The right one.
    #[default]
    Real,
    /// A failure.
    Failure {
        /// The code of HTTP, such as 410, 429, 500, 503.
        code: u16,
        /// The header `Retry-After` in seconds.
        retry_after: Option<u32>,
    },
    /// A list without items; anything else is answered as by `Real`.
    EmptyList,
    /// A list that ends in the middle, as if that were its end.
    TruncatedList,
    /// As `TruncatedList`, by a connection that breaks.
    BrokenList,
}

impl Faults {
    /// Takes the answer to a request.
    pub(super) fn answer(&mut self, verb: &str) -> Answer {
        if self.verb.is_some_and(|only| only != verb) {
            return Answer::Real;
        }
        self.next.pop_front().unwrap_or(self.then)
    }

    /// Whether an event is to be replaced by garbage.
    pub(super) fn take_garbage(&mut self) -> bool {
        let is_garbage = self.garbage_events > 0;
        self.garbage_events = self.garbage_events.saturating_sub(1);
        is_garbage
    }
}

/// A request that was answered.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its verb, as in RBAC rules. For a path that the server does not have, the HTTP method.
    pub verb: String,
    /// Its resource, with the subresource, as `nodes/status`.
    pub resource: String,
    /// The user; empty if the token is not valid.
    pub user: String,
    /// Path and query.
    pub uri: String,
    /// The code of the answer.
    pub code: u16,
    pub(super) sent: Arc<AtomicU64>,
}

impl Record {
    /// The bytes of the answer that were sent so far: its body, without headers and TLS.
    pub fn bytes(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether the request writes.
    pub fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch" | "GET")
    }
}
