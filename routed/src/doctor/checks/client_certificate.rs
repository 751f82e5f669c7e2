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
    let finding = files.map(|(file, ca_file)| match verify(file, ca_file) {
        Ok(None) => Finding::ok(CHECK, "valid today, and for clients"),
        Ok(Some((cause, fix))) => {
            Finding::broken(CHECK, format!("{}: {cause}", file.display())).fix(fix)
        }
        Err(error) => Finding::broken(CHECK, error.to_string())
            .fix("put a certificate in PEM there; routed reads it when it connects anew"),
    });
    finding.into_iter().collect()
}

/// What etcd will find wrong with the certificate in `file`, and what to do about it. An unknown
/// issuer is not wrong: etcd may trust another authority than the one that signed its own
/// certificate.
fn verify(file: &Path, ca_file: &Path) -> Result<Option<(String, &'static str)>, EtcdError> {
    let all = tls::chain(file)?;
    let (own, intermediates) = all.split_first().ok_or("it is empty")?;
    let provider = Arc::new(default_provider());
    let roots = Arc::new(tls::roots(ca_file)?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build()?;
    let verdict = verifier.verify_client_cert(own, intermediates, UnixTime::now());
    Ok(verdict.err().and_then(|error| explain(&error)))
}

/// The cause and the cure of an error that etcd will find, too.
fn explain(error: &TlsError) -> Option<(String, &'static str)> {
    use CertificateError as Problem;
    let TlsError::InvalidCertificate(problem) = error else {
        return None;
    };
    let (cause, fix) = match problem {
        Problem::Expired | Problem::ExpiredContext { .. } => (
            "it has expired",
            "renew it: etcd refuses it, and routed reads the new file when it connects anew",
        ),
        Problem::NotValidYet | Problem::NotValidYetContext { .. } => (
            "it is not valid yet by this host's clock",
            "correct this host's clock, or renew it",
        ),
        Problem::InvalidPurpose | Problem::InvalidPurposeContext { .. } => (
            "it is not for clients, so etcd refuses it",
            "issue one with extendedKeyUsage clientAuth",
        ),
        Problem::BadEncoding => ("it is damaged", "renew it"),
        Problem::Other(_) if format!("{problem:?}").contains("UnsupportedCertVersion") => (
            "it is of X.509 version 1, which is not accepted",
            "issue one of version 3, with extendedKeyUsage clientAuth",
        ),
        _ => return None,
    };
    Some((format!("{cause} ({problem})"), fix))
}
