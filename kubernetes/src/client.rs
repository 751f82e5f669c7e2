//! Requests to the API server: HTTP/1.1 over TLS, with the token of the pod's service account.

use std::fmt;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request, Response, header};
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::account::{ServiceAccount, read_server};
use crate::connect::{ConnectFailure, connect};
use crate::error::{ApiStatus, Error, causes};
use crate::timeouts::{LONGEST_RETRY_AFTER, REQUEST_TIMEOUT};

/// The largest reply that is read, in bytes. A page of a hundred objects of the largest size that
/// etcd stores (1.5 MiB) would be larger, but nothing near it was ever seen.
const MAX_REPLY: usize = 64 << 20;

/// How objects are named to those who look at the server's audit log.
const USER_AGENT: &str = concat!("flatland/", env!("CARGO_PKG_VERSION"));

/// An API server and the account by which it is used.
#[derive(Debug, Clone)]
pub struct ApiClient {
    server: String,
    account: ServiceAccount,
    request_timeout: Duration,
}

/// A connection for one request after the other. It ends when it is dropped.
pub struct ApiConnection {
    client: ApiClient,
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

/// A request as it is sent.
type ApiMessage = Request<Full<Bytes>>;

/// A request, without what all requests have.
struct ApiRequest<'a> {
    method: Method,
    path: &'a str,
    /// The type of the body, if there is one.
    content_type: Option<&'static str>,
    body: Vec<u8>,
}

impl<'a> ApiRequest<'a> {
    fn get(path: &'a str) -> Self {
        Self {
            method: Method::GET,
            path,
            content_type: None,
            body: Vec::new(),
        }
    }
}

/// How a patch is merged (Kubernetes API Concepts, "Patch").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchType {
    /// Lists are merged by the keys of their entries.
    StrategicMerge,
    /// RFC 7396: lists are replaced.
    Merge,
}

impl ApiClient {
    /// The server at `server` (`HOST:PORT`).
    pub fn new(server: String, account: ServiceAccount) -> Self {
        Self {
            server,
            account,
            request_timeout: REQUEST_TIMEOUT,
        }
    }

    /// The server at `server`, or, if that is `None`, the one that a kubelet names to each pod; with
    /// the account of this pod.
    pub fn in_cluster(server: Option<&str>) -> Result<Self, Error> {
        let server = server.map_or_else(read_server, |server| Ok(server.to_owned()))?;
        Ok(Self::new(server, ServiceAccount::default()))
    }

    #[cfg(test)]
    pub(crate) fn with_request_timeout(self, request_timeout: Duration) -> Self {
        Self {
            request_timeout,
            ..self
        }
    }

    /// `HOST:PORT`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Connects. The authority's certificate is read anew.
    pub async fn connect(&self) -> Result<ApiConnection, Error> {
        let (sender, driver) = connect(&self.server, &self.account)
            .await
            .map_err(|failure| match failure {
                ConnectFailure::Credentials(error) => error,
                ConnectFailure::Lost(why) => self.lost(&why),
            })?;
        Ok(ApiConnection::new(self.clone(), sender, driver))
    }

    /// The outcome of `reply`, if it comes in time.
    async fn in_time<T>(&self, reply: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let seconds = self.request_timeout.as_secs();
        timeout(self.request_timeout, reply)
            .await
            .unwrap_or_else(|_| Err(self.lost(&format!("no reply within {seconds} s"))))
    }

    pub(crate) fn lost(&self, why: &dyn fmt::Display) -> Error {
        Error::Unreachable {
            server: self.server.clone(),
            why: why.to_string(),
        }
    }

    pub(crate) fn invalid(&self, why: &dyn fmt::Display) -> Error {
        Error::Invalid {
            server: self.server.clone(),
            why: why.to_string(),
        }
    }

    /// Reads one object, over a connection of its own.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.connect().await?.get(path).await
    }

    /// Creates the object `body` in the collection at `path`.
    pub async fn create(&self, path: &str, body: Vec<u8>) -> Result<(), Error> {
        self.write(Method::POST, path, "application/json", body)
            .await
            .map(drop)
    }

    /// Changes the object at `path`. Returns what it is then.
    pub async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        kind: PatchType,
        body: Vec<u8>,
    ) -> Result<T, Error> {
        let content_type = match kind {
            PatchType::StrategicMerge => "application/strategic-merge-patch+json",
            PatchType::Merge => "application/merge-patch+json",
        };
        let object = self.write(Method::PATCH, path, content_type, body).await?;
        serde_json::from_slice(&object).map_err(|why| self.invalid(&format!("{path}: {why}")))
    }

    async fn write(
        &self,
        method: Method,
        path: &str,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> Result<Bytes, Error> {
        let request = ApiRequest {
            method,
            path,
            content_type: Some(content_type),
            body,
        };
        self.connect().await?.body(request).await
    }
}

impl ApiConnection {
    pub(crate) fn new(
        client: ApiClient,
        sender: SendRequest<Full<Bytes>>,
        driver: JoinHandle<()>,
    ) -> Self {
        Self {
            client,
            sender,
            driver,
        }
    }

    /// Reads one object, or one page of a list.
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Error> {
        let body = self.body(ApiRequest::get(path)).await?;
        serde_json::from_slice(&body).map_err(|why| self.client.invalid(&format!("{path}: {why}")))
    }

    /// Sends a request. Returns the whole reply.
    async fn body(&mut self, request: ApiRequest<'_>) -> Result<Bytes, Error> {
        let client = self.client.clone();
        let whole = async {
            let response = self.exchange(request).await?;
            let body = Limited::new(response.into_body(), MAX_REPLY)
                .collect()
                .await;
            body.map(http_body_util::Collected::to_bytes)
                .map_err(|why| client.lost(&causes(why.as_ref())))
        };
        client.in_time(whole).await
    }

    /// Opens the stream at `path`. Returns the reply once its head is there, which has a time limit,
    /// if the server does not refuse. A proxy may accept a request for a server that is gone.
    pub(crate) async fn stream(&mut self, path: &str) -> Result<Response<Incoming>, Error> {
        let client = self.client.clone();
        client.in_time(self.exchange(ApiRequest::get(path))).await
    }

    async fn exchange(&mut self, request: ApiRequest<'_>) -> Result<Response<Incoming>, Error> {
        let ApiRequest {
            method,
            path,
            content_type,
            body,
        } = request;
        let token = self.client.account.token()?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.client.server)
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::ACCEPT, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let request = request
            .body(Full::from(body))
            .map_err(|why| self.client.invalid(&why))?;
        let response = self.send(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refusal(response).await)
    }

    /// Sends a request; over a new connection if the server closed this one before anything of the
    /// request was sent. What may have been sent is not sent again: it may be a write.
    async fn send(&mut self, request: ApiMessage) -> Result<Response<Incoming>, Error> {
        let client = self.client.clone();
        // That it is closed is seen by the next line, which gives the request back.
        let _ = self.sender.ready().await;
        let mut failure = match self.sender.try_send_request(request).await {
            Ok(response) => return Ok(response),
            Err(failure) => failure,
        };
        let lost = |why: &hyper::Error| client.lost(&causes(why));
        let Some(request) = failure.take_message() else {
            return Err(lost(failure.error()));
        };
        tracing::debug!("{} closed the connection; connecting anew", client.server);
        *self = client.connect().await?;
        let sent = self.sender.send_request(request).await;
        sent.map_err(|why| lost(&why))
    }

    /// The error that a reply without success stands for.
    async fn refusal(&self, response: Response<Incoming>) -> Error {
        let code = response.status();
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        let body = Limited::new(response.into_body(), MAX_REPLY)
            .collect()
            .await;
        let body = body
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        let status: ApiStatus = serde_json::from_slice(&body).unwrap_or_default();
        let reason = code.canonical_reason().unwrap_or_default().to_owned();
        Error::Refused {
            server: self.client.server.clone(),
            code: code.as_u16(),
            message: Some(status.message)
                .filter(|text| !text.is_empty())
                .unwrap_or(reason),
            retry_after: retry_after
                .map(|seconds| Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER)),
        }
    }
}

impl fmt::Debug for ApiConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection to {}", self.client.server)
    }
}

impl Drop for ApiConnection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

#[cfg(test)]
mod tests;
