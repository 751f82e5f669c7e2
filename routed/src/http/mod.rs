//! The HTTP server: `/healthz`, `/readyz` and `/metrics` on a TCP address, and everything on a UNIX
//! socket that only root can use, for the command line.
//!
//! It runs on its own thread, so that it answers, with an error, even if the event loop hangs.
//! Connections, request times and request sizes are limited.

pub(crate) mod client;
mod pages;

use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use registry::Backoff;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};
use wire::conf::IpamConfig;

pub(crate) use self::pages::usage;
use self::pages::{Access, Answerer};
use crate::status::Http;
use crate::status::health::Timings;
use crate::status::query::QueryClient;
use crate::thread;

/// The UNIX socket for the command line. There is one per node, as there is one daemon.
pub(crate) const SOCKET: &str = "/run/flatland/routed.sock";

/// How often the daemon checks that its socket was not removed.
const SOCKET_CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// The number of connections at a time; further ones wait.
const MAX_CONNECTIONS: usize = 16;

/// How long receiving a request may take, and how long a connection may be idle.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest request, in bytes.
const MAX_REQUEST: usize = 8 * 1024;

/// How long a command waits for the daemon. Longer than the daemon waits for its own event loop, so
/// that the daemon's error is shown.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(15);

/// Between attempts to listen.
const LISTEN_RETRY_BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(1),
    most: Duration::from_secs(30),
};

/// Where the pages come from.
pub(crate) struct PageSources {
    /// The event loop.
    pub(crate) query_client: QueryClient,
    /// Durations and failures of its passes.
    pub(crate) timings: Timings,
    /// The configuration of the ledger of pod addresses.
    pub(crate) conf: IpamConfig,
    /// The TCP address, if there is to be one.
    pub(crate) listen: Option<SocketAddr>,
}

/// Starts the server, which runs until the program ends. Its failures are logged and do not end the
/// daemon, because routes matter more.
pub(crate) fn start(sources: PageSources) -> io::Result<()> {
    let listen = sources.listen;
    let http = listen.map(|address| Http { address, why: None });
    let http = Arc::new(Mutex::new(http));
    let answerer = Arc::new(Answerer::new(sources, Arc::clone(&http)));
    thread::spawn("http", move || async move {
        let socket = tokio::spawn(serve_socket(Arc::clone(&answerer)));
        if let Some(address) = listen {
            serve_address(address, &answerer, &http).await;
        }
        // Neither ends.
        drop(socket.await);
    })
}

async fn serve_address(
    address: SocketAddr,
    answerer: &Arc<Answerer>,
    http: &Mutex<Option<Http>>,
) -> Infallible {
    let set_state = |why: Option<String>| {
        let mut state = http.lock().unwrap_or_else(PoisonError::into_inner);
        *state = Some(Http { address, why });
    };
    let mut failures = 0;
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(error) => {
                let text = format!("cannot serve HTTP on {address}: {error}");
                if failures == 0 {
                    error!(%address, %error, "{text}; routes are kept anyway. Choose another with --listen");
                }
                set_state(Some(text));
            }
        }
        failures += 1;
        sleep(LISTEN_RETRY_BACKOFF.pause(failures)).await;
    };
    set_state(None);
    info!(%address, "HTTP on {address}: /healthz, /readyz, /metrics");
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let slot = acquire_slot(&slots).await;
        match listener.accept().await {
            Ok((stream, _)) => serve(stream, answerer, Access::Public, slot),
            Err(error) => pause_after(&error).await,
        }
    }
}

async fn serve_socket(answerer: Arc<Answerer>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let path = Path::new(SOCKET);
    loop {
        let listener = match listen_on_socket(path) {
            Ok(listener) => listener,
            Err(error) => {
                error!(path = SOCKET, %error, "cannot listen on {SOCKET}: {error}; commands such as routed status work without the daemon");
                return;
            }
        };
        // Another program may remove what is in /run.
        while path.exists() {
            let slot = acquire_slot(&slots).await;
            match timeout(SOCKET_CHECK_INTERVAL, listener.accept()).await {
                Ok(Ok((stream, _))) => serve(stream, &answerer, Access::Root, slot),
                Ok(Err(error)) => pause_after(&error).await,
                Err(_) => {}
            }
        }
    }
}

/// A socket that exists is a leftover: the caller holds the lock of the node's only daemon.
fn listen_on_socket(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn acquire_slot(slots: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    let slot = Arc::clone(slots).acquire_owned().await;
    slot.expect("the semaphore is never closed")
}

/// Pauses after a failed accept, which usually means that the process has no free file descriptors.
async fn pause_after(error: &io::Error) {
    warn!(%error, "cannot accept a connection: {error}");
    sleep(LISTEN_RETRY_BACKOFF.first).await;
}

fn serve<S>(stream: S, answerer: &Arc<Answerer>, access: Access, slot: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answerer = Arc::clone(answerer);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let answerer = Arc::clone(&answerer);
        async move {
            let answer = answerer.answer(request.method(), request.uri().path(), access);
            Ok::<_, Infallible>(answer.await)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .max_buf_size(MAX_REQUEST)
        .serve_connection(TokioIo::new(stream), service);
    tokio::spawn(async move {
        // An error means that the client has closed the connection.
        drop(connection.await);
        drop(slot);
    });
}
