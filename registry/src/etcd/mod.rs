//! The registry in etcd: the connection, and one request over it.

mod absence;
mod connect;
mod error;
mod forget;
mod pages;
mod presence;
mod snapshot;
mod txn;
mod view;
mod watch;
mod write;

use std::future::Future;
use std::time::Duration;

use etcd_client::Client;
use ipnet::IpNet;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use wire::conf::{EtcdConfig, IpamConfig};

use crate::error::Error;
use crate::keys::Keys;
use crate::policy::{Policy, RetryBudget};
use crate::records::Network;
use connect::{Connection, Connector};
use error::RequestError;

/// The keys of one network in etcd, over one connection that is replaced when it fails.
#[derive(Debug)]
pub(crate) struct EtcdRegistry {
    keys: Keys,
    network: Network,
    exclude: Vec<IpNet>,
    policy: Policy,
    connector: Connector,
    connection: Mutex<Option<Connection>>,
}

impl EtcdRegistry {
    pub(crate) fn new(
        conf: &IpamConfig,
        etcd: &EtcdConfig,
        network: &Network,
        policy: Policy,
    ) -> Self {
        let keys = Keys::new(&etcd.prefix, &conf.network);
        Self {
            connector: Connector::new(etcd, &policy, keys.config()),
            keys,
            network: network.clone(),
            exclude: conf.exclude.clone(),
            policy,
            connection: Mutex::new(None),
        }
    }

    /// Makes one request with the time-out `limit`, over a new connection if there is none. After
    /// [`RequestError::Lost`], the request may or may not have been carried out.
    async fn with_connection<T, R, F>(&self, limit: Duration, request: R) -> Result<T, RequestError>
    where
        R: FnOnce(Client) -> F,
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        let began = Instant::now();
        let connection = match timeout(limit, self.connection()).await {
            Ok(connection) => connection?,
            Err(_) => {
                return Err(RequestError::Lost(
                    "no endpoint accepted a connection".to_owned(),
                ));
            }
        };
        self.request(&connection, limit.saturating_sub(began.elapsed()), request)
            .await
    }

    /// Like [`EtcdRegistry::with_connection`], over this connection.
    async fn request<T, R, F>(
        &self,
        on: &Connection,
        limit: Duration,
        request: R,
    ) -> Result<T, RequestError>
    where
        R: FnOnce(Client) -> F,
        F: Future<Output = Result<T, etcd_client::Error>>,
    {
        tracing::trace!("request to etcd at {}", on.endpoint);
        let result = match timeout(limit, request(on.client.clone())).await {
            Ok(result) => result.map_err(|error| error::failure(&on.endpoint, &error)),
            // Without the duration, which differs between attempts: the same failure is logged
            // once.
            Err(_) => Err(RequestError::Lost(format!(
                "{} did not answer a request in time",
                on.endpoint
            ))),
        };
        if let Err(RequestError::Lost(_)) = result {
            self.drop_connection(on).await;
        }
        result
    }

    /// Pauses before a failed request is repeated. Returns an error if it must not or cannot be.
    async fn pause_before_retry(
        &self,
        budget: &mut RetryBudget,
        began: Instant,
        failure: RequestError,
    ) -> Result<(), Error> {
        let why = match failure {
            RequestError::Refused(error) => return Err(*error),
            RequestError::Lost(why) => why,
            RequestError::NotThere => "the revision was compacted while it was read".to_owned(),
            RequestError::TooLarge => error::too_large(),
        };
        if budget.retry(began).await {
            Ok(())
        } else {
            Err(self.unreachable(why))
        }
    }

    pub(crate) fn unreachable(&self, why: String) -> Error {
        Error::Unreachable {
            endpoints: self.connector.endpoints().to_vec(),
            within: self.policy.operation_timeout,
            why,
        }
    }

    async fn connection(&self) -> Result<Connection, RequestError> {
        let mut current = self.connection.lock().await;
        if let Some(connection) = &*current {
            return Ok(connection.clone());
        }
        let connection = self.connector.connect().await?;
        Ok(current.insert(connection).clone())
    }

    /// Makes the next request open a new connection, perhaps to another endpoint, with the
    /// certificates that are in the files by then.
    async fn drop_connection(&self, connection: &Connection) {
        let mut current = self.connection.lock().await;
        if current
            .as_ref()
            .is_some_and(|current| current.number == connection.number)
        {
            *current = None;
        }
    }
}
