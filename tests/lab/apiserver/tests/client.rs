//! A plain client, with one connection for each request.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::DEADLINE;
use crate::apiserver::ApiServer;

/// Trusts the authority that the server had when this was made.
pub(super) struct Client {
    server: Arc<ApiServer>,
    config: Arc<ClientConfig>,
    pub(super) token: Option<&'static str>,
    pub(super) timeout: Duration,
}

/// An answer, of which the head has been read.
pub(super) struct Answered {
    pub(super) code: u16,
    headers: Vec<String>,
    body: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    /// The last event of a watch.
    pub(super) last: Value,
}

impl Client {
    pub(super) fn new(server: &Arc<ApiServer>) -> Self {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(server.ca().unwrap().as_bytes());
        roots.add(ca.unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            server: Arc::clone(server),
            config: Arc::new(config),
            token: Some("secret"),
            timeout: DEADLINE,
        }
    }

    /// Sends a request. `kind` is that of the body, after `application/`.
    pub(super) fn send(
        &self,
        method: &str,
        uri: &str,
        (kind, body): (&str, &Value),
    ) -> io::Result<Answered> {
        let address = self.server.address();
        let connect = || TcpStream::connect(address);
        let stream = self.server.netns().run(connect).unwrap()?;
        stream.set_read_timeout(Some(self.timeout))?;
        let tls = ClientConnection::new(Arc::clone(&self.config), address.ip().into());
        let mut stream = StreamOwned::new(tls.unwrap(), stream);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let token = self
            .token
            .map(|it| format!("authorization: Bearer {it}\r\n"));
        write!(
            stream,
            "{method} {uri} HTTP/1.1\r\nhost: kubernetes\r\n{}content-type: application/{kind}\r\n\
             content-length: {}\r\n\r\n{body}",
            token.unwrap_or_default(),
            body.len()
        )?;
        let mut body = BufReader::new(stream);
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            body.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            headers.push(line.trim().to_owned());
        }
        let code = headers[0].split(' ').nth(1).unwrap().parse().unwrap();
        let last = Value::Null;
        Ok(Answered {
            code,
            headers,
            body,
            last,
        })
    }

    pub(super) fn get(&self, uri: &str) -> Answered {
        self.send("GET", uri, ("json", &Value::Null)).unwrap()
    }

    /// `kind` is `merge` or `strategic-merge`.
    pub(super) fn patch(&self, uri: &str, kind: &str, body: &Value) -> Answered {
        let kind = format!("{kind}-patch+json");
        self.send("PATCH", uri, (&kind, body)).unwrap()
    }

    pub(super) fn write(&self, method: &str, uri: &str, body: &Value) -> Answered {
        self.send(method, uri, ("json", body)).unwrap()
    }

    /// Watches nodes.
    pub(super) fn watch(&self, options: &str) -> Answered {
        let answer = self.get(&format!("/api/v1/nodes?watch=true&{options}"));
        assert_eq!(answer.code, 200);
        answer
    }

    /// Why there is no answer; empty if there is one.
    pub(super) fn error(&self) -> String {
        let answer = self.send("GET", "/", ("json", &Value::Null));
        answer
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }
}

impl Answered {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter().filter_map(|it| it.split_once(": "));
        headers.find(|it| it.0 == name).map(|it| it.1)
    }

    /// The next part of the body; empty at its end.
    fn part(&mut self) -> io::Result<Vec<u8>> {
        let mut line = String::new();
        self.body.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        let mut part = vec![0; length + 2];
        self.body.read_exact(&mut part)?;
        part.truncate(length);
        Ok(part)
    }

    /// The whole body; an error if the connection breaks before its end.
    pub(super) fn bytes(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if let Some(length) = self.header("content-length") {
            bytes.resize(length.parse().unwrap(), 0);
            self.body.read_exact(&mut bytes)?;
            return Ok(bytes);
        }
        loop {
            match self.part()? {
                part if part.is_empty() => return Ok(bytes),
                part => bytes.extend(part),
            }
        }
    }

    /// The object of an answer with this code.
    pub(super) fn is(mut self, code: u16) -> Value {
        let object: Value = serde_json::from_slice(&self.bytes().unwrap()).unwrap();
        assert_eq!(self.code, code, "{object}");
        object
    }

    pub(super) fn ok(self) -> Value {
        self.is(200)
    }

    /// The `Status` of an answer with this code.
    pub(super) fn fails(self, code: u16, reason: &str) -> Value {
        let status = self.is(code);
        assert_eq!(
            (&status["kind"], &status["code"]),
            (&"Status".into(), &code.into())
        );
        assert_eq!(status["reason"], reason);
        status
    }

    /// Type and name of the next event, as `ADDED n1`; empty at the end.
    pub(super) fn next(&mut self) -> String {
        let line = self.part().unwrap_or_default();
        if line.is_empty() {
            return String::new();
        }
        self.last = serde_json::from_slice(&line).unwrap_or_default();
        let name = self.last["object"]["metadata"]["name"].as_str();
        let kind = self.last["type"].as_str().unwrap_or("garbage");
        format!("{kind} {}", name.unwrap_or_default())
            .trim_end()
            .to_owned()
    }
}
