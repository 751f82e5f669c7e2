//! What etcd answers to this host, and what its clock and the certificates are like.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, Uri, header};
use hyper_util::rt::TokioIo;
use registry::Registry;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{CertificateError, ClientConfig, Error as TlsError, RootCertStore};
use wire::conf::{EtcdConfig, IpamConfig};

use super::EtcdFacts;

/// For an endpoint to tell the time.
const PATIENCE: Duration = Duration::from_secs(5);

/// Any failure, in words.
type EtcdError = Box<dyn std::error::Error + Send + Sync>;

/// Asks it as `routed` would. `None` where the configuration has no etcd.
pub(super) async fn probe(conf: &IpamConfig) -> Option<EtcdFacts> {
    let etcd = conf.etcd.as_ref()?;
    let answer = match Registry::open(conf) {
        Ok(registry) => registry.snapshot().await,
        Err(why) => Err(why),
    };
    let answer = answer.map(|snapshot| snapshot.revision);
    let mut ahead = Err("no endpoint told the time".to_owned());
    for endpoint in &etcd.endpoints {
        ahead = match timeout(PATIENCE, clock(endpoint, etcd)).await {
            Ok(Ok(ahead)) => Ok(ahead),
            Ok(Err(why)) => Err(format!("{endpoint}: {why}")),
            Err(_) => Err(format!("{endpoint} did not tell the time")),
        };
        if ahead.is_ok() {
            break;
        }
    }
    Some(EtcdFacts {
        endpoints: etcd.endpoints.clone(),
        answer: answer.map_err(|why| (why.message(), why.advice().to_owned())),
        ahead,
        certificate: certificate(etcd),
    })
}

/// How far the endpoint's clock is ahead, in seconds: etcd serves HTTP beside gRPC, and dates what
/// it says.
async fn clock(endpoint: &str, etcd: &EtcdConfig) -> Result<i64, EtcdError> {
    let uri: Uri = endpoint.parse()?;
    let is_tls = uri.scheme_str() == Some("https");
    let host = uri.host().ok_or("it names no host")?;
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let bare = host.trim_matches(['[', ']']).to_owned();
    let stream = TcpStream::connect((bare.as_str(), port)).await?;
    let date = if is_tls {
        let name = ServerName::try_from(bare)?;
        let connector = TlsConnector::from(Arc::new(client(etcd)?));
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

fn client(etcd: &EtcdConfig) -> Result<ClientConfig, EtcdError> {
    let ca_file = etcd
        .ca_file
        .as_ref()
        .ok_or("only asked where there is a caFile")?;
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(ca_file)?);
    Ok(match (&etcd.cert_file, &etcd.key_file) {
        (Some(certificate), Some(key)) => {
            let key = PrivateKeyDer::from_pem_file(key)?;
            builder.with_client_auth_cert(chain(certificate)?, key)?
        }
        _ => builder.with_no_client_auth(),
    })
}

fn roots(file: &Path) -> Result<RootCertStore, EtcdError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(file)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, EtcdError> {
    let shown = |why: &dyn std::fmt::Display| format!("{}: {why}", file.display());
    let all = CertificateDer::pem_file_iter(file).map_err(|why| shown(&why))?;
    let all: Result<Vec<_>, _> = all.collect();
    let all = all.map_err(|why| shown(&why))?;
    if all.is_empty() {
        return Err(shown(&"it holds no certificate").into());
    }
    Ok(all)
}

/// Whether the client's own certificate is valid today, where one is configured. Who signed it is
/// for etcd to judge: it need not be the authority that signed etcd's.
fn certificate(etcd: &EtcdConfig) -> Option<Result<(), String>> {
    let (file, ca_file) = (etcd.cert_file.as_ref()?, etcd.ca_file.as_ref()?);
    let verify = || -> Result<(), EtcdError> {
        let all = chain(file)?;
        let (own, between) = all.split_first().ok_or("it is empty")?;
        let provider = Arc::new(default_provider());
        let roots = Arc::new(roots(ca_file)?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build()?;
        match verifier.verify_client_cert(own, between, UnixTime::now()) {
            Err(
                why @ TlsError::InvalidCertificate(
                    CertificateError::Expired
                    | CertificateError::ExpiredContext { .. }
                    | CertificateError::NotValidYet
                    | CertificateError::NotValidYetContext { .. }
                    | CertificateError::BadEncoding,
                ),
            ) => Err(format!("{}: {why}", file.display()).into()),
            _ => Ok(()),
        }
    };
    Some(verify().map_err(|why| why.to_string()))
}
