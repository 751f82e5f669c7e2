//! Connections to etcd: choice of the endpoint, and TLS.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use wire::backoff::random;
use wire::conf::EtcdConfig;
use wire::state_file;

use crate::error::Error;
use crate::etcd::error::{self, RequestError};
use crate::policy::{NEXT_ENDPOINT_DELAY, Policy};
use crate::tls_error::identity_problem;

/// Makes connections, each to a single endpoint. A load-balanced connection would keep sending
/// requests to a member that is gone.
#[derive(Debug)]
pub(crate) struct Connector {
    endpoints: Vec<String>,
    ca_file: Option<PathBuf>,
    identity: Option<(PathBuf, PathBuf)>,
    policy: Policy,
    probe: String,
    connections_made: AtomicU64,
}

/// A connection, shared by all requests until one of them fails on it.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) endpoint: String,
    pub(super) number: u64,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {} to {}", self.number, self.endpoint)
    }
}

impl Connector {
    /// `probe` is the key that is read to find out which of several endpoints answers.
    pub(super) fn new(conf: &EtcdConfig, policy: &Policy, probe: String) -> Self {
        Self {
            endpoints: conf.endpoints.clone(),
            ca_file: conf.ca_file.clone(),
            identity: conf.cert_file.clone().zip(conf.key_file.clone()),
            policy: *policy,
            probe,
            connections_made: AtomicU64::new(0),
        }
    }

    pub(super) fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// Connects to the only endpoint, or to the first that answers. The order is random, so that
    /// nodes spread over the members of the cluster.
    pub(super) async fn connect(&self) -> Result<Connection, RequestError> {
        let start = usize::try_from(random() % self.endpoints.len() as u64).unwrap_or(0);
        let (later, first) = self.endpoints.split_at(start);
        let mut candidates = Vec::new();
        for endpoint in first.iter().chain(later) {
            candidates.push((endpoint.clone(), self.client(endpoint).await?));
        }
        let (endpoint, client) = match candidates.len() {
            1 => candidates.remove(0),
            _ => self.race(candidates).await?,
        };
        tracing::debug!("connecting to etcd at {endpoint}");
        let number = self.connections_made.fetch_add(1, Ordering::Relaxed);
        Ok(Connection {
            client,
            endpoint,
            number,
        })
    }

    async fn race(
        &self,
        candidates: Vec<(String, Client)>,
    ) -> Result<(String, Client), RequestError> {
        let mut attempts = JoinSet::new();
        let mut wait = Duration::ZERO;
        for (endpoint, client) in candidates {
            let (limit, probe) = (self.policy.request_timeout, self.probe.clone());
            attempts.spawn(async move {
                sleep(wait).await;
                let answer = timeout(limit, client.kv_client().get(probe, None)).await;
                let failure = match answer {
                    Ok(Ok(_)) => return Ok((endpoint, client)),
                    Ok(Err(error)) => error::failure(&endpoint, &error),
                    Err(_) => RequestError::Lost("no answer".to_owned()),
                };
                match failure {
                    RequestError::Lost(why) => Err(format!("{endpoint}: {why}")),
                    // It answers. The request proper will report the error.
                    RequestError::Refused(_) | RequestError::NotThere | RequestError::TooLarge => {
                        Ok((endpoint, client))
                    }
                }
            });
            wait += NEXT_ENDPOINT_DELAY;
        }
        let mut reasons = Vec::new();
        while let Some(outcome) = attempts.join_next().await {
            match outcome {
                Ok(Ok(found)) => return Ok(found),
                Ok(Err(why)) => reasons.push(why),
                Err(panic) => reasons.push(panic.to_string()),
            }
        }
        reasons.sort_unstable();
        Err(RequestError::Lost(reasons.join(", ")))
    }

    /// A client for one endpoint. The library connects with the first request.
    async fn client(&self, endpoint: &str) -> Result<Client, RequestError> {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(self.policy.connect_timeout)
            .with_keep_alive(self.policy.keep_alive, self.policy.keep_alive_timeout)
            // etcd closes connections that send keepalive pings while no request is in flight.
            .with_keep_alive_while_idle(false)
            .with_require_leader(true);
        if endpoint.starts_with("https://") {
            options = options.with_tls(self.tls()?);
        }
        Client::connect([endpoint], Some(options))
            .await
            .map_err(|error| RequestError::from(self.config_error(endpoint, error::text(&error))))
    }

    /// The library has not connected yet, so a certificate that it refuses is this node's own.
    fn config_error(&self, endpoint: &str, why: String) -> Error {
        let identity = self.identity.as_ref().zip(identity_problem(&why));
        match identity {
            Some(((certificate, _), problem)) => Error::Config {
                what: certificate.display().to_string(),
                why: problem.to_owned(),
            },
            None => Error::Config {
                what: endpoint.to_owned(),
                why,
            },
        }
    }

    fn tls(&self) -> Result<TlsOptions, Error> {
        let mut tls = TlsOptions::new();
        tls = match &self.ca_file {
            Some(file) => tls.ca_certificate(Certificate::from_pem(read(file)?)),
            None => tls.with_native_roots(),
        };
        if let Some((certificate, key)) = &self.identity {
            tls = tls.identity(Identity::from_pem(read(certificate)?, read(key)?));
        }
        Ok(tls)
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    state_file::read_linked(file, state_file::LARGE).map_err(|error| Error::Config {
        what: file.display().to_string(),
        why: error.to_string(),
    })
}
