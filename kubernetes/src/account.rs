//! Where the API server is, and by which credentials a pod speaks to it. A kubelet mounts them into
//! each pod, and replaces them long before they expire, so they are read for each use.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::error::Error;

/// The folder into which a kubelet mounts the credentials of a pod.
const FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The credentials of a pod's service account.
#[derive(Debug, Clone)]
pub struct ServiceAccount {
    folder: PathBuf,
}

impl Default for ServiceAccount {
    fn default() -> Self {
        Self::new(Path::new(FOLDER))
    }
}

impl ServiceAccount {
    /// The credentials in `folder`: the files `token` and `ca.crt`.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    /// The token, as a kubelet wrote it last.
    pub(crate) fn token(&self) -> Result<String, Error> {
        let path = self.folder.join("token");
        let text = fs::read_to_string(&path).map_err(|why| Error::credentials(&path, why))?;
        let token = text.trim();
        if token.is_empty() {
            return Err(Error::credentials(&path, "it is empty"));
        }
        Ok(token.to_owned())
    }

    /// TLS that trusts the authorities in `ca.crt` and no others.
    pub(crate) fn tls(&self) -> Result<ClientConfig, Error> {
        let path = self.folder.join("ca.crt");
        let pem = fs::read(&path).map_err(|why| Error::credentials(&path, why))?;
        let mut roots = RootCertStore::empty();
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let certificates = certificates.map_err(|why| Error::credentials(&path, why))?;
        // One that cannot be used does not keep the others from being used.
        roots.add_parsable_certificates(certificates);
        if roots.is_empty() {
            return Err(Error::credentials(
                &path,
                "it holds no certificate that can be used",
            ));
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has TLS 1.2 and 1.3");
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

/// The address of the API server as a kubelet gives it to each pod, as `HOST:PORT`: the variables
/// `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`.
pub(crate) fn read_server() -> Result<String, Error> {
    let variable = |name: &'static str| {
        let value = env::var(name).ok().filter(|value| !value.is_empty());
        value.ok_or(Error::NoServer { variable: name })
    };
    let host = variable("KUBERNETES_SERVICE_HOST")?;
    let port = variable("KUBERNETES_SERVICE_PORT")?;
    Ok(if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    })
}
