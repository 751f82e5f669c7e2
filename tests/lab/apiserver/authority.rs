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

/// Makes a key of the kind that Kubernetes' own tools make.
const NEW_KEY: &str = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/// A certificate authority, as a folder. All have the same name, and different keys.
pub(super) struct Authority(TempDir);

impl Authority {
    /// Makes one.
    pub(super) fn new() -> Result<Self> {
        let authority = Self(tempfile::tempdir().doing("making a folder")?);
        authority.run(&format!(
            "{NEW_KEY} -x509 -days 2 -subj /CN=kubernetes -keyout ca.key -out ca.pem"
        ))?;
        Ok(authority)
    }

    /// Its certificate.
    pub(super) fn pem(&self) -> Result<String> {
        fs::read_to_string(self.0.path().join("ca.pem")).doing("reading ca.pem")
    }

    /// A TLS server with a new certificate for `address` and the names that pods use. Without an
    /// address, the certificate is that of another server.
    pub(super) fn acceptor(&self, address: Option<IpAddr>) -> Result<TlsAcceptor> {
        let names = match address {
            Some(address) => format!("IP:{address},DNS:localhost,DNS:kubernetes.default.svc"),
            None => "DNS:elsewhere".to_owned(),
        };
        self.run(&format!(
            "{NEW_KEY} -subj /CN=kube-apiserver -keyout server.key -out request &&
             printf 'subjectAltName={names}\\nextendedKeyUsage=serverAuth' >extensions &&
             openssl x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
                 -extfile extensions -out server.pem"
        ))?;
        let certificate = CertificateDer::from_pem_file(self.0.path().join("server.pem"));
        let key = PrivateKeyDer::from_pem_file(self.0.path().join("server.key"));
        let (certificate, key) = (certificate.doing("server.pem")?, key.doing("server.key")?);
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .doing("setting up TLS")?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .doing("server.pem")?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn run(&self, script: &str) -> Result {
        let mut shell = Command::new("sh");
        let output = shell
            .args(["-c", script])
            .current_dir(self.0.path())
            .output();
        let output = output.doing("openssl")?;
        if output.status.success() {
            return Ok(());
        }
        let printed = String::from_utf8_lossy(&output.stderr);
        Err(Error::new(format!("openssl: run `make setup`: {printed}")))
    }
}
