//! Certificates of the server, made with the openssl program.

use std::fs;
use std::net::IpAddr;
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::Doing;
use crate::{Error, Result};

/// An address that the server never has (RFC 5737).
const ELSEWHERE: &str = "IP:192.0.2.1";

/// A certificate authority.
pub(super) struct Authority(TempDir);

impl Authority {
    /// Makes one.
    pub(super) fn new(name: &str) -> Result<Self> {
        let authority = Self(tempfile::tempdir().doing("making a folder")?);
        let subject = format!("/CN={name}");
        authority.request(
            "ca.key",
            &["-x509", "-days", "2", "-subj", &subject, "-out", "ca.pem"],
        )?;
        Ok(authority)
    }

    /// Its certificate.
    pub(super) fn pem(&self) -> Result<String> {
        fs::read_to_string(self.0.path().join("ca.pem")).doing("reading ca.pem")
    }

    /// A TLS server with a new certificate for `address` and the names that pods use, or for
    /// another server.
    pub(super) fn acceptor(&self, address: Option<IpAddr>) -> Result<TlsAcceptor> {
        let names = match address {
            Some(address) => format!("IP:{address},DNS:localhost,DNS:kubernetes.default.svc"),
            None => ELSEWHERE.to_owned(),
        };
        let extensions = format!("subjectAltName={names}\nextendedKeyUsage=serverAuth\n");
        let folder = self.0.path();
        fs::write(folder.join("extensions"), extensions).doing("writing extensions")?;
        self.request(
            "server.key",
            &["-subj", "/CN=kube-apiserver", "-out", "request"],
        )?;
        self.openssl(
            "x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
             -extfile extensions -out server.pem",
            &[],
        )?;
        let certificate = CertificateDer::from_pem_file(folder.join("server.pem"));
        let key = PrivateKeyDer::from_pem_file(folder.join("server.key"));
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .doing("setting up TLS")?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.doing("server.pem")?],
                key.doing("server.key")?,
            )
            .doing("server.pem")?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn request(&self, key: &str, arguments: &[&str]) -> Result {
        let arguments = [&["-keyout", key], arguments].concat();
        self.openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes",
            &arguments,
        )
    }

    fn openssl(&self, words: &str, arguments: &[&str]) -> Result {
        let output = Command::new("openssl")
            .args(words.split_whitespace())
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .doing("openssl: run `make setup`")?;
        if output.status.success() {
            return Ok(());
        }
        let printed = String::from_utf8_lossy(&output.stderr);
        Err(Error::new(format!("openssl {words}: {printed}")))
    }
}
