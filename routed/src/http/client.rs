//! Asking the daemon of this node, for the command line.

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

/// Longer than the daemon waits for its own loop, so that it is the one to say what is wrong.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Nobody listens.
    #[error("routed does not run on this node")]
    NotRunning,
    /// Somebody else may.
    #[error("{SOCKET} is for root")]
    Denied,
    /// It runs, and says why it has no answer.
    #[error("{0}")]
    Refused(String),
    /// Anything else.
    #[error("routed cannot be asked ({SOCKET}): {0}")]
    Failed(String),
}

/// Asks for a page of JSON.
pub(crate) async fn get<T: DeserializeOwned>(path: &str) -> Result<T, Error> {
    let asked = timeout(PATIENCE, request(Path::new(SOCKET), path)).await;
    let body = asked.map_err(|_| Error::Failed("no answer in time".to_owned()))??;
    serde_json::from_slice(&body).map_err(failed)
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
