//! The HTTP server: `/healthz`, `/readyz` and `/metrics` on a TCP address, and everything on a UNIX
//! socket that only root can use, for the command line.
//!
//! It runs on its own thread, so that it answers, with an error, even if the event loop hangs.
//! The number of connections, their times and the sizes of requests are limited. A connection is
//! for one request, so that a client that pipelines requests has no more than others.

pub(crate) mod client;
mod connections;
mod pages;

use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};
use wire::{paths, state_file};

use self::connections::Connections;
pub(crate) use self::pages::PageSources;
use self::pages::{Access, Answerer};
use crate::status::Http;
use crate::thread;
use crate::timeouts::{
    HTTP_CONNECTION_TIMEOUT, HTTP_LISTEN_RETRY_BACKOFF, HTTP_REQUEST_TIMEOUT,
    HTTP_SOCKET_CHECK_INTERVAL,
};

/// The UNIX socket for the command line. There is one per node, as there is one daemon.
pub(crate) const SOCKET: &str = "/run/flatland/routed.sock";

/// The largest request, in bytes.
const MAX_REQUEST: usize = 8 * 1024;

/// Starts the server, which runs until the program ends. Its failures are logged and do not end the
/// daemon, because routes matter more.
pub(crate) fn start(sources: PageSources) -> io::Result<()> {
    let listen = sources.listen;
    let http = listen.map(|address| Http { address, why: None });
    let http = Arc::new(Mutex::new(http));
    let connections = Connections::default();
    let answerer = Answerer::new(sources, Arc::clone(&http), connections.clone());
    let answerer = Arc::new(answerer);
    thread::spawn("http", move || async move {
        let socket = tokio::spawn(serve_socket(Arc::clone(&answerer)));
        if let Some(address) = listen {
            serve_address(address, &answerer, &http, &connections).await;
        }
        // Neither ends.
        drop(socket.await);
    })
}

async fn serve_address(
    address: SocketAddr,
    answerer: &Arc<Answerer>,
    http: &Mutex<Option<Http>>,
    connections: &Connections,
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
        sleep(HTTP_LISTEN_RETRY_BACKOFF.pause(failures)).await;
    };
    set_state(None);
    info!(%address, "HTTP on {address}: /healthz, /readyz, /metrics");
    loop {
        match listener.accept().await {
            Ok((stream, client)) => {
                let client = client.ip().to_string();
                serve(stream, client, answerer, Access::Public, connections).await;
            }
            Err(error) => pause_after(&error).await,
        }
    }
}

async fn serve_socket(answerer: Arc<Answerer>) {
    let connections = Connections::default();
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
            match timeout(HTTP_SOCKET_CHECK_INTERVAL, listener.accept()).await {
                Ok(Ok((stream, _))) => {
                    let client = "a command".to_owned();
                    serve(stream, client, &answerer, Access::Root, &connections).await;
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
    let unnamed = path.with_file_name(".routed.sock");
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
async fn serve<S>(
    stream: S,
    client: String,
    answerer: &Arc<Answerer>,
    access: Access,
    connections: &Connections,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (place, closed) = connections.enter(client).await;
    let place = Arc::new(place);
    let (answerer, own_place) = (Arc::clone(answerer), Arc::clone(&place));
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let (answerer, place) = (Arc::clone(&answerer), Arc::clone(&own_place));
        async move {
            place.set_being_answered(true);
            let answer = answerer.answer(request.method(), request.uri().path(), access);
            let answer = answer.await;
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
