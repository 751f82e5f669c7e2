//! Queries a daemon of this node over its UNIX socket, for the command line.

use std::fmt::Display;
use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::identity::DaemonIdentity;
use crate::timeouts::{HTTP_CLIENT_TIMEOUT, HTTP_PROBE_TIMEOUT};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No process listens on the socket.
    #[error("{} does not run on this node", .0.name)]
    NotRunning(DaemonIdentity),
    /// The caller is not root.
    #[error("{} is for root", .0.socket)]
    Denied(DaemonIdentity),
    /// The daemon answered with an error.
    #[error("{0}")]
    Refused(String),
    /// Any other failure.
    #[error("cannot query {} ({}): {why}", .daemon.name, .daemon.socket)]
    Failed {
        /// The daemon.
        daemon: DaemonIdentity,
        /// What failed.
        why: String,
    },
}

impl Error {
    /// The failure `why` of a query to `daemon`.
    pub fn failed(daemon: DaemonIdentity, why: impl Display) -> Self {
        let why = why.to_string();
        Self::Failed { daemon, why }
    }
}

/// Gets the JSON of a path.
pub async fn get<T: DeserializeOwned>(daemon: DaemonIdentity, path: &str) -> Result<T, Error> {
    let body = get_within(HTTP_CLIENT_TIMEOUT, daemon, path).await?;
    serde_json::from_slice(&body).map_err(|error| Error::failed(daemon, error))
}

/// Gets whether the daemon is ready, quickly enough for a probe. [`Error::Refused`] says what is
/// missing.
pub async fn readiness(daemon: DaemonIdentity) -> Result<(), Error> {
    let answer = get_within(HTTP_PROBE_TIMEOUT, daemon, "/readyz");
    answer.await.map(drop)
}

async fn get_within(limit: Duration, daemon: DaemonIdentity, path: &str) -> Result<Bytes, Error> {
    let answer = timeout(limit, request(daemon, path)).await;
    answer.map_err(|_| Error::failed(daemon, "no answer in time"))?
}

async fn request(daemon: DaemonIdentity, path: &str) -> Result<Bytes, Error> {
    let failed = |error: &dyn Display| Error::failed(daemon, error);
    let stream = UnixStream::connect(daemon.socket).await;
    let stream = stream.map_err(|error| unreachable(daemon, &error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(&error))?;
    tokio::spawn(connection);
    let request = Request::get(path)
        .header(hyper::header::HOST, daemon.name)
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(&error))?;
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| failed(&error))?;
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(|error| failed(&error))?;
    let body = body.to_bytes();
    if status == StatusCode::OK {
        Ok(body)
    } else {
        let text = String::from_utf8_lossy(&body).trim().to_owned();
        Err(Error::Refused(text))
    }
}

fn unreachable(daemon: DaemonIdentity, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Error::NotRunning(daemon),
        io::ErrorKind::PermissionDenied => Error::Denied(daemon),
        _ => Error::failed(daemon, error),
    }
}
