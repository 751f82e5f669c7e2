//! A client with one connection for each request.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::DEADLINE;
use crate::apiserver::ApiServer;

type Failure = Box<dyn std::error::Error>;

/// Trusts the authority that the server had when this was made.
pub(super) struct Client {
    server: Arc<ApiServer>,
    connector: TlsConnector,
    pub(super) token: Option<&'static str>,
}

/// An answer.
pub(super) struct Answered {
    pub(super) code: u16,
    pub(super) retry_after: Option<String>,
    /// Whether the body has ended as a body should.
    pub(super) whole: bool,
    /// Its length in bytes.
    pub(super) length: u64,
    /// Null if it is no JSON.
    pub(super) json: Value,
}

/// A watch.
pub(super) struct Watch {
    runtime: Runtime,
    body: Incoming,
    buffer: Vec<u8>,
    /// The last event.
    pub(super) last: Value,
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

impl Client {
    pub(super) fn new(server: &Arc<ApiServer>) -> Self {
        let mut roots = RootCertStore::empty();
        let ca = server.ca().unwrap();
        roots
            .add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap())
            .unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            server: Arc::clone(server),
            connector: TlsConnector::from(Arc::new(config)),
            token: Some("secret"),
        }
    }

    async fn send(
        &self,
        method: &str,
        uri: &str,
        kind: &str,
        body: &Value,
    ) -> Result<Response<Incoming>, Failure> {
        let address = self.server.address();
        let stream = self.server.netns().run(|| TcpStream::connect(address))??;
        stream.set_nonblocking(true)?;
        let stream = tokio::net::TcpStream::from_std(stream)?;
        let stream = self.connector.connect(address.ip().into(), stream).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header("host", "kubernetes");
        request = request.header("content-type", kind);
        if let Some(token) = self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = sender.send_request(request.body(Full::new(Bytes::from(body)))?);
        Ok(answer.await?)
    }

    fn try_call(
        &self,
        method: &str,
        uri: &str,
        kind: &str,
        body: &Value,
    ) -> Result<Answered, Failure> {
        timeout_in(&runtime(), async {
            let answer = self.send(method, uri, kind, body).await?;
            let (head, mut body) = answer.into_parts();
            let mut bytes = Vec::new();
            let whole = loop {
                match body.frame().await {
                    Some(Ok(frame)) => bytes.extend(frame.into_data().unwrap()),
                    Some(Err(_)) => break false,
                    None => break true,
                }
            };
            let retry_after = head.headers.get("retry-after");
            Ok(Answered {
                code: head.status.as_u16(),
                retry_after: retry_after.map(|it| it.to_str().unwrap().to_owned()),
                whole,
                length: bytes.len() as u64,
                json: serde_json::from_slice(&bytes).unwrap_or_default(),
            })
        })
    }

    fn call(&self, method: &str, uri: &str, kind: &str, body: &Value) -> Answered {
        self.try_call(method, uri, kind, body).unwrap()
    }

    pub(super) fn get(&self, uri: &str) -> Answered {
        self.call("GET", uri, "", &Value::Null)
    }

    pub(super) fn delete(&self, uri: &str) -> Answered {
        self.call("DELETE", uri, "", &Value::Null)
    }

    pub(super) fn post(&self, uri: &str, body: &Value) -> Answered {
        self.call("POST", uri, "application/json", body)
    }

    pub(super) fn put(&self, uri: &str, body: &Value) -> Answered {
        self.call("PUT", uri, "application/json", body)
    }

    /// `kind` is `merge` or `strategic-merge`.
    pub(super) fn patch(&self, uri: &str, kind: &str, body: &Value) -> Answered {
        self.call(
            "PATCH",
            uri,
            &format!("application/{kind}-patch+json"),
            body,
        )
    }

    /// Why there is no answer; empty if there is one.
    pub(super) fn error(&self) -> String {
        let answer = self.try_call("GET", "/", "", &Value::Null);
        answer
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }

    /// The code of an answer that comes within `limit`.
    pub(super) fn code_within(&self, limit: Duration, uri: &str) -> Option<u16> {
        let answer = async { timeout(limit, self.send("GET", uri, "", &Value::Null)).await };
        let answer = runtime().block_on(answer).ok()?;
        Some(answer.unwrap().status().as_u16())
    }

    /// Watches nodes.
    pub(super) fn watch(&self, options: &str) -> Watch {
        self.watch_of("/api/v1/nodes", options)
    }

    pub(super) fn watch_of(&self, path: &str, options: &str) -> Watch {
        let runtime = runtime();
        let uri = format!("{path}?watch=true&{options}");
        let answer = runtime
            .block_on(self.send("GET", &uri, "", &Value::Null))
            .unwrap();
        assert_eq!(answer.status(), 200, "{uri}");
        Watch {
            runtime,
            body: answer.into_body(),
            buffer: Vec::new(),
            last: Value::Null,
        }
    }
}

impl Answered {
    /// The object of an answer with this code.
    pub(super) fn is(self, code: u16) -> Value {
        assert_eq!(self.code, code, "{}", self.json);
        self.json
    }

    pub(super) fn ok(self) -> Value {
        self.is(200)
    }

    /// The `Status` of an answer with this code.
    pub(super) fn fails(self, code: u16, reason: &str) -> Value {
        let status = self.is(code);
        assert_eq!(
            (&status["kind"], &status["reason"]),
            (&"Status".into(), &reason.into())
        );
        assert_eq!(
            (&status["code"], &status["apiVersion"]),
            (&code.into(), &"v1".into())
        );
        status
    }
}

impl Watch {
    /// Type and name of the next event; `None` at the end.
    pub(super) fn next(&mut self) -> Option<(String, String)> {
        let end = loop {
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                break end;
            }
            let frame = timeout_in(&self.runtime, self.body.frame())?;
            self.buffer.extend(frame.ok()?.into_data().unwrap());
        };
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        let Ok(event) = serde_json::from_slice::<Value>(&line) else {
            return Some(("garbage".to_owned(), String::new()));
        };
        self.last = event;
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = word(&self.last["object"]["metadata"]["name"]);
        Some((word(&self.last["type"]), name))
    }
}

/// Waits for `work`, which must end.
fn timeout_in<T>(runtime: &Runtime, work: impl Future<Output = T>) -> T {
    // The timer belongs to the runtime.
    let limited = async { timeout(DEADLINE, work).await };
    runtime.block_on(limited).expect("an event in time")
}
