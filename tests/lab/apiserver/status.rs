//! The `Status` objects of failures.

use serde_json::{Value, json};

/// Why a request fails: the code of HTTP, and the fields of the `Status` object.
#[derive(Debug, Clone, Default)]
pub(super) struct StatusError {
    pub(super) code: u16,
    pub(super) reason: &'static str,
    pub(super) message: String,
    /// The `details` of the object.
    pub(super) details: Option<Box<Value>>,
    /// The header `Retry-After` in seconds.
    pub(super) retry_after: Option<u32>,
}

impl StatusError {
    /// An error with the reason that belongs to its code.
    pub(super) fn new(code: u16, message: impl Into<String>) -> Self {
        let reason = match code {
            400 => "BadRequest",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "NotFound",
            405 => "MethodNotAllowed",
            406 => "NotAcceptable",
            409 => "Conflict",
            410 => "Expired",
            415 => "UnsupportedMediaType",
            422 => "Invalid",
            429 => "TooManyRequests",
            503 => "ServiceUnavailable",
            504 => "Timeout",
            _ => "InternalError",
        };
        Self {
            code,
            reason,
            message: message.into(),
            ..Self::default()
        }
    }

    /// The `Status` object.
    pub(super) fn object(&self) -> Value {
        let mut object = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if let Some(details) = &self.details {
            object["details"].clone_from(details);
        }
        if let Some(seconds) = self.retry_after {
            object["details"]["retryAfterSeconds"] = seconds.into();
        }
        object
    }
}
