//! The outcome of one plugin call: exit status, standard output and standard error.

use serde_json::Value;

use super::verdict::{Judged, Reason, ensure, fail};
use crate::CommandOutput;

/// The outcome of a call, and what was sent.
#[derive(Debug)]
pub(super) struct Answer {
    sent: String,
    status: Option<i32>,
    /// Standard output.
    pub(super) stdout: String,
    /// Standard error.
    pub(super) stderr: String,
}

impl Answer {
    pub(super) fn new(sent: String, output: &CommandOutput) -> Self {
        Self {
            sent,
            status: output.status.code(),
            stdout: output.stdout.clone(),
            stderr: output.stderr.clone(),
        }
    }

    /// Whether it ended with status 0.
    pub(super) fn is_success(&self) -> bool {
        self.status == Some(0)
    }

    /// `why`, followed by what was sent and what came back.
    pub(super) fn with_evidence(&self, why: &str) -> String {
        let status = self
            .status
            .map_or("a signal".to_owned(), |status| format!("status {status}"));
        let stdout = self.stdout.trim();
        let stderr = match self.stderr.trim() {
            "" => String::new(),
            text => format!("\nstandard error: {text}"),
        };
        let sent = &self.sent;
        format!("{why}\nsent: {sent}\ngot: {status}, {stdout}{stderr}")
    }

    /// A failure: `why`, followed by what was sent and what came back.
    pub(super) fn failure(&self, why: &str) -> Reason {
        Reason::Fail(self.with_evidence(why))
    }

    /// Fails with `why` unless the call succeeded.
    pub(super) fn succeeds(&self, why: &str) -> Judged {
        ensure(self.is_success(), || self.with_evidence(why))
    }

    /// Fails with `why` unless the call failed.
    pub(super) fn fails(&self, why: &str) -> Judged {
        ensure(!self.is_success(), || self.with_evidence(why))
    }

    /// Standard output, which must be a single JSON object.
    pub(super) fn object(&self) -> Judged<Value> {
        match serde_json::from_str(&self.stdout) {
            Ok(object @ Value::Object(_)) => Ok(object),
            _ => fail(self.with_evidence("standard output is not one JSON object")),
        }
    }

    /// The result of a call, which must have succeeded.
    pub(super) fn result(&self) -> Judged<Value> {
        self.succeeds("the call fails")?;
        self.object()
    }

    /// The error code of a call, which must have failed.
    pub(super) fn code(&self) -> Judged<u64> {
        self.fails("the call succeeds")?;
        let code = self.object()?["code"].as_u64();
        code.ok_or_else(|| self.failure("the error has no numeric code"))
    }

    /// Fails unless the error has this code.
    pub(super) fn has_code(&self, expected: u64) -> Judged {
        let code = self.code()?;
        ensure(code == expected, || {
            self.with_evidence(&format!("code {code} instead of {expected}"))
        })
    }

    /// The text of an error: `msg` and `details`.
    pub(super) fn message(&self) -> Judged<String> {
        let error = self.object()?;
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        Ok(format!("{} {}", text("msg"), text("details")))
    }
}
