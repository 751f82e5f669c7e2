//! The HTTP server: what every client may read (health, readiness, metrics) on a TCP address, and
//! everything on a UNIX socket that only root can use, for the command line.
//!
//! It runs on its own thread, so that it answers, with an error, even if the event loop hangs.
//! The number of connections, their times and the sizes of requests are limited. A connection is
//! for one request, so that a client that pipelines requests has no more than others.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};
use wire::{paths, state_file};

use super::connections::Connections;
use super::pages::{self, Access, HttpPages};
use crate::identity::DaemonIdentity;
use crate::thread;
use crate::timeouts::{
    HTTP_CONNECTION_TIMEOUT, HTTP_LISTEN_RETRY_BACKOFF, HTTP_REQUEST_TIMEOUT,
    HTTP_SOCKET_CHECK_INTERVAL,
};

/// The largest request, in bytes.
const MAX_REQUEST: usize = 8 * 1024;

/// The state of the server on the TCP address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpState {
    /// The address.
    pub address: SocketAddr,
    /// Why it does not serve.
    pub why: Option<String>,
}

/// The server on the TCP address, as its own pages see it. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct HttpServer {
    state: Arc<Mutex<Option<HttpState>>>,
    connections: Connections,
}

impl HttpServer {
    /// The state; `None` if there is to be no server.
    pub fn state(&self) -> Option<HttpState> {
        self.lock().clone()
    }

    /// What is said about programs that keep too many connections open, if there are any.
    pub fn crowded(&self) -> Option<String> {
        let client = self.connections.crowded_by()?;
        let address = self.state()?.address;
        Some(format!(
            "programs at {client} keep too many connections to {address} open; the oldest are \
             closed, so that probes are answered. ss -tnp shows the programs: stop them"
        ))
    }

    fn set_state(&self, address: SocketAddr, why: Option<String>) {
        *self.lock() = Some(HttpState { address, why });
    }

    fn lock(&self) -> MutexGuard<'_, Option<HttpState>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the server of `daemon`, which runs until the program ends; `pages` makes its pages. Its
/// failures are logged and do not end the daemon, because the daemon's work matters more.
pub fn start<P: HttpPages>(
    daemon: DaemonIdentity,
    listen: Option<SocketAddr>,
    pages: impl FnOnce(HttpServer) -> P,
) -> io::Result<()> {
    let server = HttpServer::default();
    if let Some(address) = listen {
        server.set_state(address, None);
    }
    let pages = Arc::new(pages(server.clone()));
    thread::spawn("http", move || async move {
        let socket = tokio::spawn(serve_socket(daemon, Arc::clone(&pages)));
        if let Some(address) = listen {
            serve_address(daemon, address, &pages, &server).await;
        }
        // Neither ends.
        drop(socket.await);
    })
}

async fn serve_address<P: HttpPages>(
    daemon: DaemonIdentity,
    address: SocketAddr,
    pages: &Arc<P>,
    server: &HttpServer,
) -> Infallible {
    let mut failures = 0;
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(error) => {
                let text = format!("cannot serve HTTP on {address}: {error}");
                if failures == 0 {
                    let work = daemon.work;
                    error!(%address, %error, "{text}; {work} are kept anyway. Choose another with --listen");
                }
                server.set_state(address, Some(text));
            }
        }
        failures += 1;
        sleep(HTTP_LISTEN_RETRY_BACKOFF.pause(failures)).await;
    };
    server.set_state(address, None);
    let paths = pages::paths::<P>(Access::Public);
    info!(%address, "HTTP on {address}: {paths}");
    loop {
        match listener.accept().await {
            Ok((stream, client)) => {
                let client = client.ip().to_string();
                serve(stream, client, pages, Access::Public, &server.connections).await;
            }
            Err(error) => pause_after(&error).await,
        }
    }
}

async fn serve_socket<P: HttpPages>(daemon: DaemonIdentity, pages: Arc<P>) {
    let connections = Connections::default();
    let (name, socket) = (daemon.name, daemon.socket);
    let path = Path::new(socket);
    loop {
        let listener = match listen_on_socket(path) {
            Ok(listener) => listener,
            Err(error) => {
                error!(path = socket, %error, "cannot listen on {socket}: {error}; commands such as {name} status work without the daemon");
                return;
            }
        };
        // Another program may remove what is in /run.
        while path.exists() {
            match timeout(HTTP_SOCKET_CHECK_INTERVAL, listener.accept()).await {
                Ok(Ok((stream, _))) => {
                    let client = "a command".to_owned();
                    serve(stream, client, &pages, Access::Root, &connections).await;
                }
                Ok(Err(error)) => pause_after(&error).await,
                Err(_) => {}
            }
        }
    }
}

/// A socket that exists is a leftover: the caller holds the lock of the node's only daemon. The new
/// one gets its name only with its permissions, so that other users cannot connect at any time.
fn listen_on_socket(path: &Path) -> io::Result<UnixListener> {
    let name = path.file_name().unwrap_or_default();
    let mut hidden = OsString::from(".");
    hidden.push(name);
    let unnamed = path.with_file_name(hidden);
    state_file::remove(&unnamed)?;
    path.parent().map_or(Ok(()), paths::make_folder)?;
    let listener = UnixListener::bind(&unnamed)?;
    fs::set_permissions(&unnamed, Permissions::from_mode(0o600))?;
    fs::rename(&unnamed, path)?;
    Ok(listener)
}

/// Pauses after a failed accept, which usually means that the process has no free file descriptors.
async fn pause_after(error: &io::Error) {
    warn!(%error, "cannot accept a connection: {error}");
    sleep(HTTP_LISTEN_RETRY_BACKOFF.first).await;
}

/// Serves one connection as soon as it has a place.
async fn serve<S, P: HttpPages>(
    stream: S,
    client: String,
    pages: &Arc<P>,
    access: Access,
    connections: &Connections,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (place, closed) = connections.enter(client).await;
    let place = Arc::new(place);
    let (pages, own_place) = (Arc::clone(pages), Arc::clone(&place));
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let (pages, place) = (Arc::clone(&pages), Arc::clone(&own_place));
        async move {
            place.set_being_answered(true);
            let (method, uri) = (request.method(), request.uri());
            let answer = pages::answer(&*pages, method, uri, access).await;
            place.set_being_answered(false);
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HTTP_REQUEST_TIMEOUT)
        .max_buf_size(MAX_REQUEST)
        .keep_alive(false)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service);
    tokio::spawn(async move {
        // However it ends, the connection is closed.
        tokio::select! {
            _ = connection => {}
            _ = closed => {}
            () = sleep(HTTP_CONNECTION_TIMEOUT) => {}
        }
        drop(place);
    });
    // The connection is served before the next one is accepted.
    yield_now().await;
}
