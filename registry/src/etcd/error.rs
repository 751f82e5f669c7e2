//! Classifies errors of the etcd client library, and extracts the text that helps an operator.

use std::error::Error as StdError;

use crate::error::Error;
use crate::tls_error::in_words;

/// The largest reply or watch response, in bytes. The library's default of 4 MB is less than a page
/// of records with the longest names. What is larger is read in smaller parts (`pages`).
pub(super) const MAX_REPLY: usize = 8 << 20;

/// Why a request has no result.
#[derive(Debug)]
pub(crate) enum RequestError {
    /// No answer. The request may or may not have been carried out. A retry may help.
    Lost(String),
    /// The answer was an error, or no request could be made. A retry does not help.
    Refused(Box<Error>),
    /// The requested revision was compacted, or does not exist yet.
    NotThere,
    /// The answer is larger than this client accepts.
    TooLarge,
}

impl From<Error> for RequestError {
    fn from(error: Error) -> Self {
        Self::Refused(Box::new(error))
    }
}

/// gRPC status codes (<https://grpc.io/docs/guides/status-codes/>).
mod status {
    pub(super) const INVALID_ARGUMENT: i32 = 3;
    pub(super) const NOT_FOUND: i32 = 5;
    pub(super) const PERMISSION_DENIED: i32 = 7;
    pub(super) const RESOURCE_EXHAUSTED: i32 = 8;
    pub(super) const FAILED_PRECONDITION: i32 = 9;
    pub(super) const OUT_OF_RANGE: i32 = 11;
    pub(super) const UNIMPLEMENTED: i32 = 12;
    pub(super) const UNAUTHENTICATED: i32 = 16;
}

/// Classifies the `error` of a request to `endpoint`.
pub(super) fn failure(endpoint: &str, error: &etcd_client::Error) -> RequestError {
    let refused = |denied| {
        RequestError::from(Error::Refused {
            endpoint: endpoint.to_owned(),
            why: text(error),
            denied,
        })
    };
    let lost = || {
        let why = text(error);
        // With TLS 1.3, a client certificate is rejected after the handshake. Whether the alert is
        // read before the connection is gone is a race.
        let is_cut = ["closed", "reset", "pipe"]
            .iter()
            .any(|word| why.contains(word));
        RequestError::Lost(if is_cut && endpoint.starts_with("https://") {
            format!("{why} (does etcd accept the client certificate?)")
        } else {
            why
        })
    };
    let etcd_client::Error::GRpcStatus(answer) = error else {
        return lost();
    };
    match answer.code() as i32 {
        status::PERMISSION_DENIED | status::UNAUTHENTICATED => refused(true),
        // "user name is empty": etcd has authentication enabled, and the client has no user.
        status::INVALID_ARGUMENT => refused(answer.message().contains("user")),
        // The library's own limit has the same code as a compaction.
        status::OUT_OF_RANGE if answer.message().contains("too large") => RequestError::TooLarge,
        status::OUT_OF_RANGE => RequestError::NotThere,
        // "too many requests" is temporary, "database space exceeded" is not.
        status::RESOURCE_EXHAUSTED if answer.message().contains("space") => refused(false),
        status::NOT_FOUND | status::FAILED_PRECONDITION | status::UNIMPLEMENTED => refused(false),
        _ => lost(),
    }
}

/// What is wrong if an answer cannot be read in smaller parts.
pub(super) fn too_large() -> String {
    format!(
        "the answer is larger than {} MB: another program writes large values below the prefix",
        MAX_REPLY >> 20
    )
}

/// The innermost cause: the text of the kernel, TLS or etcd, without the layers between.
pub(super) fn text(error: &etcd_client::Error) -> String {
    match error {
        etcd_client::Error::GRpcStatus(status) => {
            innermost(status).unwrap_or_else(|| status.message().to_owned())
        }
        etcd_client::Error::TransportError(error) => {
            innermost(error).unwrap_or_else(|| error.to_string())
        }
        other => other.to_string(),
    }
}

fn innermost(error: &dyn StdError) -> Option<String> {
    let mut cause = error.source()?;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Some(match cause.to_string().as_str() {
        // What a timer says. It does not tell the reader what timed out.
        "deadline has elapsed" | "Timeout expired" => "no connection in time".to_owned(),
        text => in_words(text.to_owned()),
    })
}
