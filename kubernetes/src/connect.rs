//! Connects to the API server: TCP to one of its addresses, TLS, HTTP/1.1.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::account::ServiceAccount;
use crate::error::{Error, causes};
use crate::timeouts::{
    CONNECT_TIMEOUT, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES, MAX_ADDRESSES,
};

/// What sends requests over a connection, and the task that drives it.
type Opened = (SendRequest<Full<Bytes>>, JoinHandle<()>);

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum ConnectFailure {
    /// The pod's credentials cannot be used.
    Credentials(Error),
    /// The server does not answer, or not as it should.
    Lost(String),
}

/// Connects to `server`, `HOST:PORT`.
pub(crate) async fn connect(
    server: &str,
    account: &ServiceAccount,
) -> Result<Opened, ConnectFailure> {
    let tls = account.tls().map_err(ConnectFailure::Credentials)?;
    let tls = TlsConnector::from(Arc::new(tls));
    let (host, _) = server.rsplit_once(':').unwrap_or((server, ""));
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
        .map_err(|why| ConnectFailure::Lost(why.to_string()))?;
    let deadline = Instant::now() + CONNECT_TIMEOUT;
    let addresses = timeout_at(deadline, lookup_host(server)).await;
    let addresses: Vec<_> = addresses
        .map_err(|_| ConnectFailure::Lost(late(CONNECT_TIMEOUT)))?
        .map_err(|why| ConnectFailure::Lost(why.to_string()))?
        .take(MAX_ADDRESSES)
        .collect();
    first_that_works(&addresses, deadline, |address| {
        handshake(address, tls.clone(), name.clone())
    })
    .await
    .map_err(ConnectFailure::Lost)
}

/// The outcome of `attempt` for the first of `addresses` for which it succeeds; the last failure, if
/// there is none. Each gets its part of the time that is left, so that one that does not answer
/// leaves time for the others.
async fn first_that_works<T, F>(
    addresses: &[SocketAddr],
    deadline: Instant,
    attempt: impl Fn(SocketAddr) -> F,
) -> Result<T, String>
where
    F: Future<Output = Result<T, String>>,
{
    let mut failure = "its name has no address".to_owned();
    for (index, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let addresses_left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let share = left / addresses_left;
        match timeout(share, attempt(*address)).await {
            Ok(Ok(opened)) => return Ok(opened),
            Ok(Err(why)) => failure = why,
            Err(_) => failure = late(share),
        }
    }
    Err(failure)
}

fn late(time_limit: Duration) -> String {
    format!("no connection within {:.1} s", time_limit.as_secs_f64())
}

async fn handshake(
    address: SocketAddr,
    tls: TlsConnector,
    name: ServerName<'static>,
) -> Result<Opened, String> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(|why| why.to_string())?;
    keep_alive(&stream).map_err(|why| why.to_string())?;
    let stream = tls
        .connect(name, stream)
        .await
        .map_err(|why| causes(&why))?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|why| causes(&why))?;
    let driver = tokio::spawn(async move {
        // The request that is under way gets the error.
        let _ = connection.await;
    });
    Ok((sender, driver))
}

/// Lets the kernel find out that the server went away without a word: a watch may be silent for
/// long.
fn keep_alive(stream: &TcpStream) -> nix::Result<()> {
    let socket = stream.as_fd();
    let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    setsockopt(&socket, sockopt::KeepAlive, &true)?;
    setsockopt(&socket, sockopt::TcpKeepIdle, &seconds(KEEPALIVE_IDLE))?;
    setsockopt(
        &socket,
        sockopt::TcpKeepInterval,
        &seconds(KEEPALIVE_INTERVAL),
    )?;
    setsockopt(&socket, sockopt::TcpKeepCount, &KEEPALIVE_PROBES)
}

#[cfg(test)]
mod tests;
