//! TLS as the registry uses it for etcd: the files of the conflist, read into rustls.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use wire::conf::EtcdConfig;

/// Any failure, in words.
pub(super) type EtcdError = Box<dyn std::error::Error + Send + Sync>;

/// The TLS client for an `https` endpoint, which the conflist has only with a `caFile`.
pub(super) fn client(etcd: &EtcdConfig) -> Result<ClientConfig, EtcdError> {
    let ca_file = etcd.ca_file.as_ref().ok_or("there is no caFile")?;
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

/// The certificates of a file, as trusted authorities.
pub(super) fn roots(file: &Path) -> Result<RootCertStore, EtcdError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(file)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// The certificates of a file, at least one.
pub(super) fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, EtcdError> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let all = CertificateDer::pem_file_iter(file).map_err(|error| named(&error))?;
    let all: Result<Vec<_>, _> = all.collect();
    let all = all.map_err(|error| named(&error))?;
    if all.is_empty() {
        return Err(named(&"it holds no certificate").into());
    }
    Ok(all)
}
