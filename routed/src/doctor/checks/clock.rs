//! Check: do the clocks of this host and of etcd agree?

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use wire::conf::EtcdConfig;

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::doctor::tls::{self, EtcdError};
use crate::timeouts::CLOCK_ANSWER_TIMEOUT;

const CHECK: &str = "clock";

/// In seconds. Clocks that differ by more make logs hard to compare.
const WARNING_LIMIT: u64 = 5;

/// In seconds. With clocks that differ by more, certificates that were just issued, or are about to
/// expire, are refused.
const BROKEN_LIMIT: u64 = 300;

pub(super) async fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    match context.etcd() {
        Some(etcd) => vec![examine(seconds_ahead(etcd).await)],
        None => Vec::new(),
    }
}

/// `ahead`: how far etcd's clock is ahead of this host's, in seconds.
fn examine(ahead: Result<i64, String>) -> Finding {
    let ahead = match ahead {
        Ok(ahead) => ahead,
        Err(error) => return Finding::unknown(CHECK, format!("etcd's is not known: {error}")),
    };
    let seconds = ahead.unsigned_abs();
    // The date in etcd's answer has whole seconds.
    let text = match ahead {
        -1..=1 => "the same as etcd's".to_owned(),
        2.. => format!("{seconds} s behind etcd's"),
        _ => format!("{seconds} s ahead of etcd's"),
    };
    let fix =
        "let a time service (chrony, systemd-timesyncd) set the clocks of this host and etcd's";
    if seconds <= WARNING_LIMIT {
        Finding::ok(CHECK, text)
    } else if seconds <= BROKEN_LIMIT {
        Finding::warning(CHECK, text).fix(fix)
    } else {
        Finding::broken(CHECK, text).fix(fix)
    }
}

/// By the first endpoint that answers.
async fn seconds_ahead(etcd: &EtcdConfig) -> Result<i64, String> {
    let mut ahead = Err("no endpoint sent the time".to_owned());
    for endpoint in &etcd.endpoints {
        ahead = match timeout(CLOCK_ANSWER_TIMEOUT, seconds_ahead_of(endpoint, etcd)).await {
            Ok(Ok(ahead)) => Ok(ahead),
            Ok(Err(error)) => Err(format!("{endpoint}: {error}")),
            Err(_) => Err(format!("{endpoint} did not answer in time")),
        };
        if ahead.is_ok() {
            break;
        }
    }
    ahead
}

/// etcd serves HTTP beside gRPC on the same port, with the date in each answer.
async fn seconds_ahead_of(endpoint: &str, etcd: &EtcdConfig) -> Result<i64, EtcdError> {
    let uri: Uri = endpoint.parse()?;
    let is_tls = uri.scheme_str() == Some("https");
    let host = uri.host().ok_or("it names no host")?;
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let bare = host.trim_matches(['[', ']']).to_owned();
    let stream = TcpStream::connect((bare.as_str(), port)).await?;
    let date = if is_tls {
        let name = ServerName::try_from(bare)?;
        let connector = TlsConnector::from(Arc::new(tls::client(etcd)?));
        date(connector.connect(name, stream).await?, host).await?
    } else {
        date(stream, host).await?
    };
    let seconds = |since: Duration| i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    Ok(match date.duration_since(SystemTime::now()) {
        Ok(ahead) => seconds(ahead),
        Err(behind) => -seconds(behind.duration()),
    })
}

/// The date of an HTTP answer from the other end of `stream`.
async fn date<S>(stream: S, host: &str) -> Result<SystemTime, EtcdError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get("/version")
        .header(header::HOST, host)
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let date = response
        .headers()
        .get(header::DATE)
        .ok_or("no date in its answer")?;
    Ok(httpdate::parse_http_date(date.to_str()?)?)
}

#[cfg(test)]
mod tests;
