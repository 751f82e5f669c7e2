//! Check: is the client certificate for etcd valid today?

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{CertificateError, Error as TlsError};

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::doctor::tls::{self, EtcdError};

const CHECK: &str = "client certificate";

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    let files = context.etcd().and_then(|etcd| {
        let (certificate, ca_file) = (etcd.cert_file.as_ref()?, etcd.ca_file.as_ref()?);
        Some((certificate, ca_file))
    });
    let finding = files.map(
        |(certificate, ca_file)| match verify(certificate, ca_file) {
            Ok(()) => Finding::ok(CHECK, "valid today"),
            Err(error) => Finding::broken(CHECK, error.to_string()).fix(
                "renew it: etcd refuses it, and routed reads the new file when it connects anew",
            ),
        },
    );
    finding.into_iter().collect()
}

/// Fails if the certificate in `file` is not valid today. An unknown issuer is no failure: etcd may
/// trust another authority than the one that signed its own certificate.
fn verify(file: &Path, ca_file: &Path) -> Result<(), EtcdError> {
    let all = tls::chain(file)?;
    let (own, intermediates) = all.split_first().ok_or("it is empty")?;
    let provider = Arc::new(default_provider());
    let roots = Arc::new(tls::roots(ca_file)?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build()?;
    match verifier.verify_client_cert(own, intermediates, UnixTime::now()) {
        Err(
            error @ TlsError::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
                | CertificateError::BadEncoding,
            ),
        ) => Err(format!("{}: {error}", file.display()).into()),
        _ => Ok(()),
    }
}
