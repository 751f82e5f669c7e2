//! What came back from a call.

use serde_json::Value;

use super::verdict::{Judged, Reason, ensure, fail};
use crate::Output;

/// What came back from a call, and what was sent.
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
    pub(super) fn new(sent: String, output: &Output) -> Self {
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

    /// `why`, with what was sent and what came back.
    pub(super) fn tell(&self, why: &str) -> String {
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

    /// `why`, with evidence, as a failure.
    pub(super) fn fault(&self, why: &str) -> Reason {
        Reason::Fail(self.tell(why))
    }

    /// It must have succeeded.
    pub(super) fn succeeds(&self, why: &str) -> Judged {
        ensure(self.is_success(), || self.tell(why))
    }

    /// It must have failed.
    pub(super) fn fails(&self, why: &str) -> Judged {
        ensure(!self.is_success(), || self.tell(why))
    }

    /// Standard output, which must be one JSON object.
    pub(super) fn object(&self) -> Judged<Value> {
        match serde_json::from_str(&self.stdout) {
            Ok(object @ Value::Object(_)) => Ok(object),
            _ => fail(self.tell("standard output is not one JSON object")),
        }
    }

    /// The result of a call that must have succeeded.
    pub(super) fn result(&self) -> Judged<Value> {
        self.succeeds("the call fails")?;
        self.object()
    }

    /// The code of the error that it must be.
    pub(super) fn code(&self) -> Judged<u64> {
        self.fails("the call succeeds")?;
        let code = self.object()?["code"].as_u64();
        code.ok_or_else(|| self.fault("the error has no numeric code"))
    }

    /// It must be an error with this code.
    pub(super) fn has_code(&self, expected: u64) -> Judged {
        let code = self.code()?;
        ensure(code == expected, || {
            self.tell(&format!("code {code} instead of {expected}"))
        })
    }

    /// The text of an error: `msg` and `details`.
    pub(super) fn message(&self) -> Judged<String> {
        let error = self.object()?;
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        Ok(format!("{} {}", text("msg"), text("details")))
    }
}
