//! HTTP: for machines on an address of the node, and for the command line on a UNIX socket that
//! only root can use.
//!
//! A thread of its own, so that it answers even where the loop does not turn, and says so. All is
//! bounded: connections, the time that a request may take to come, and its size.

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
use tokio::time::sleep;
use tracing::{error, info, warn};
use wire::conf::IpamConfig;

pub(crate) use self::pages::usage;
use self::pages::{Access, Answerer};
use crate::status::Http;
use crate::status::health::Timings;
use crate::status::query::QueryClient;
use crate::thread;

/// Where the command line asks the daemon. There is one of them on a node, whatever its network.
pub(crate) const SOCKET: &str = "/run/flatland/routed.sock";

/// As many connections at once; further ones wait.
const MOST_CONNECTIONS: usize = 16;

/// How long a request may take to come, and a connection may be idle.
const REQUEST: Duration = Duration::from_secs(10);

/// The largest request, in bytes.
const LARGEST: usize = 8 * 1024;

/// Between tries to listen.
const PAUSES: Backoff = Backoff {
    first: Duration::from_secs(1),
    most: Duration::from_secs(30),
};

/// What the server answers from.
pub(crate) struct PageSources {
    /// The loop.
    pub(crate) query_client: QueryClient,
    /// What it counted.
    pub(crate) timings: Timings,
    /// Where the addresses of pods are.
    pub(crate) conf: IpamConfig,
    /// Where to serve HTTP besides the socket, if anywhere.
    pub(crate) listen: Option<SocketAddr>,
}

/// Starts the server, which ends with the program. Routes matter more: what it cannot do it tells
/// of, and goes on.
pub(crate) fn start(sources: PageSources) -> io::Result<()> {
    let listen = sources.listen;
    let http = listen.map(|address| Http { address, why: None });
    let http = Arc::new(Mutex::new(http));
    let answerer = Arc::new(Answerer::new(sources, Arc::clone(&http)));
    thread::run("http", move || async move {
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
    let note = |why: Option<String>| {
        let mut noted = http.lock().unwrap_or_else(PoisonError::into_inner);
        *noted = Some(Http { address, why });
    };
    let mut failures = 0;
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(why) => {
                let text = format!("cannot serve HTTP on {address}: {why}");
                if failures == 0 {
                    error!("{text}; routes are kept all the same. Choose another with --listen");
                }
                note(Some(text));
            }
        }
        failures += 1;
        sleep(PAUSES.pause(failures)).await;
    };
    note(None);
    info!("HTTP on {address}: /healthz, /readyz, /metrics");
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let place = acquire_slot(&room).await;
        match listener.accept().await {
            Ok((stream, _)) => serve(stream, answerer, Access::Public, place),
            Err(why) => pause_after(&why).await,
        }
    }
}

async fn serve_socket(answerer: Arc<Answerer>) {
    let listener = match listen_on_socket(Path::new(SOCKET)) {
        Ok(listener) => listener,
        Err(why) => {
            error!("cannot listen on {SOCKET}: {why}; routed status and the like do without");
            return;
        }
    };
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let place = acquire_slot(&room).await;
        match listener.accept().await {
            Ok((stream, _)) => serve(stream, &answerer, Access::Root, place),
            Err(why) => pause_after(&why).await,
        }
    }
}

/// The caller holds the lock of this node's one daemon: a socket that is there is a leftover.
fn listen_on_socket(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn acquire_slot(room: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    let place = Arc::clone(room).acquire_owned().await;
    place.expect("nobody closes it")
}

/// Out of descriptors, most likely: others have to close theirs first.
async fn pause_after(why: &io::Error) {
    warn!("cannot take a connection: {why}");
    sleep(PAUSES.first).await;
}

fn serve<S>(stream: S, answerer: &Arc<Answerer>, access: Access, place: OwnedSemaphorePermit)
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
        .header_read_timeout(REQUEST)
        .max_buf_size(LARGEST)
        .serve_connection(TokioIo::new(stream), service);
    tokio::spawn(async move {
        // Whoever goes before the answer knows that it did.
        drop(connection.await);
        drop(place);
    });
}
