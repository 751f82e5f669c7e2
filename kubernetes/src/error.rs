//! What fails in speaking to the API server.

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use wire::backoff::jitter;

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The pod has no address of an API server.
    NoServer {
        /// The variable that is missing.
        variable: &'static str,
    },
    /// A file of the pod's service account cannot be used.
    Credentials {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// The server did not answer, or not to the end.
    Unreachable {
        /// `HOST:PORT`.
        server: String,
        /// The reason.
        why: String,
    },
    /// The server refused the request.
    Refused {
        /// `HOST:PORT`.
        server: String,
        /// The HTTP status code.
        code: u16,
        /// What the server says.
        message: String,
        /// For how long the server wants no further request.
        retry_after: Option<Duration>,
    },
    /// The reply is not what the API documents.
    Invalid {
        /// `HOST:PORT`.
        server: String,
        /// The reason.
        why: String,
    },
}

/// The part of a `Status` object that is used (meta/v1).
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ApiStatus {
    #[serde(default)]
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) code: u16,
}

impl Error {
    pub(crate) fn credentials(path: &Path, why: impl fmt::Display) -> Self {
        Self::Credentials {
            path: path.to_owned(),
            why: why.to_string(),
        }
    }

    /// Whether the server says that a list or watch cannot go on from where it was (410 Gone).
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Refused { code: 410, .. })
    }

    /// Whether the server has too much to do (429 Too Many Requests).
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self, Self::Refused { code: 429, .. })
    }

    /// Whether the object does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { code: 404, .. })
    }

    /// Whether the server knows this account and does not allow it the request.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused { code: 403, .. })
    }

    /// A number for the kind of failure: attempts that fail likewise have the same one.
    pub(crate) fn kind(&self) -> u16 {
        match self {
            Self::NoServer { .. } => 0,
            Self::Credentials { .. } => 1,
            Self::Unreachable { why, .. } if why.contains("certificate") => 2,
            Self::Unreachable { .. } => 3,
            Self::Invalid { .. } => 4,
            // 100 to 599.
            Self::Refused { code, .. } => *code,
        }
    }

    /// For how long no further request is to be sent, if the server said so. Lengthened at random by
    /// up to as much again: it says the same to all nodes.
    pub fn wanted_pause(&self) -> Duration {
        let Self::Refused {
            retry_after: Some(wanted),
            ..
        } = self
        else {
            return Duration::ZERO;
        };
        *wanted + jitter(*wanted)
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoServer { .. } => {
                "run this in a pod, or set apiServer in the kubernetes section of the conflist"
            }
            Self::Credentials { .. } => {
                "see that the pod's serviceAccountName exists and automountServiceAccountToken is not false"
            }
            Self::Unreachable { why, .. } if why.contains("certificate") => {
                "see that apiServer is an address in the API server's certificate, and that ca.crt of the pod is the authority of this cluster"
            }
            Self::Unreachable { .. } => {
                "see that the API server runs and that this node reaches it; without kube-proxy, set apiServer in the kubernetes section of the conflist to an address that nodes reach directly"
            }
            Self::Refused { code: 401, .. } => {
                "see that the pod's service account exists: its token is not accepted"
            }
            Self::Refused { code: 403, .. } => {
                "apply the ClusterRole and ClusterRoleBinding of the manifest again"
            }
            Self::Refused { code: 429, .. } => {
                "the API server is busy; if this goes on, see its priority and fairness metrics"
            }
            Self::Refused { .. } | Self::Invalid { .. } => "see the log of the API server",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServer { variable } => {
                write!(f, "the API server is not known: {variable} is not set")
            }
            Self::Credentials { path, why } => write!(f, "cannot use {}: {why}", path.display()),
            Self::Unreachable { server, why } => {
                write!(f, "the API server at {server} does not answer: {why}")
            }
            Self::Refused {
                server,
                code,
                message,
                ..
            } => write!(f, "the API server at {server} refused ({code}): {message}"),
            Self::Invalid { server, why } => {
                write!(
                    f,
                    "the reply of the API server at {server} is unusable: {why}"
                )
            }
        }
    }
}

impl StdError for Error {}

/// An error with all its causes, each once.
pub(crate) fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
