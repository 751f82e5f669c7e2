//! Queries the daemon of this node over its UNIX socket, for the command line.

use std::io;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::SOCKET;
use crate::timeouts::{HTTP_CLIENT_TIMEOUT, HTTP_PROBE_TIMEOUT};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No process listens on the socket.
    #[error("routed does not run on this node")]
    NotRunning,
    /// The caller is not root.
    #[error("{SOCKET} is for root")]
    Denied,
    /// The daemon answered with an error.
    #[error("{0}")]
    Refused(String),
    /// Any other failure.
    #[error("cannot query routed ({SOCKET}): {0}")]
    Failed(String),
}

/// Gets the JSON of a path.
pub(crate) async fn get<T: DeserializeOwned>(path: &str) -> Result<T, Error> {
    let body = get_within(HTTP_CLIENT_TIMEOUT, path).await?;
    serde_json::from_slice(&body).map_err(failed)
}

/// Gets whether the node can serve pods, quickly enough for a probe. [`Error::Refused`] says what is
/// missing.
pub(crate) async fn readiness() -> Result<(), Error> {
    get_within(HTTP_PROBE_TIMEOUT, "/readyz").await.map(drop)
}

async fn get_within(limit: Duration, path: &str) -> Result<Bytes, Error> {
    let answer = timeout(limit, request(Path::new(SOCKET), path)).await;
    answer.map_err(|_| Error::Failed("no answer in time".to_owned()))?
}

async fn request(socket: &Path, path: &str) -> Result<Bytes, Error> {
    let stream = UnixStream::connect(socket).await.map_err(unreachable)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    tokio::spawn(connection);
    let request = Request::get(path)
        .header(hyper::header::HOST, "routed")
        .body(Empty::<Bytes>::new())
        .map_err(failed)?;
    let response = sender.send_request(request).await.map_err(failed)?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(failed)?;
    let body = body.to_bytes();
    if status == StatusCode::OK {
        Ok(body)
    } else {
        let text = String::from_utf8_lossy(&body).trim().to_owned();
        Err(Error::Refused(text))
    }
}

fn unreachable(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Error::NotRunning,
        io::ErrorKind::PermissionDenied => Error::Denied,
        _ => failed(error),
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Failed(error.to_string())
}
