//! Errors of the TLS library in words: what is wrong with which certificate, and what to do.

/// A cause, and its cure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsProblem {
    /// What is wrong, naming the certificate.
    pub cause: &'static str,
    /// What to do about it.
    pub cure: &'static str,
}

/// Parts of the library's texts (rustls and webpki), and what they mean. The first that matches
/// counts. An alert comes from etcd and is about the client certificate; the rest is about etcd's.
const PROBLEMS: [(&[&str], TlsProblem); 9] = [
    (
        &["alert: CertificateExpired"],
        TlsProblem {
            cause: "etcd refused the client certificate: it has expired",
            cure: "renew certFile, or correct etcd's clock",
        },
    ),
    (
        &["alert: UnknownCA", "alert: UnknownCa"],
        TlsProblem {
            cause: "etcd refused the client certificate: etcd does not trust its issuer",
            cure: "use a certFile that the authority in etcd's --trusted-ca-file signed",
        },
    ),
    (
        &["alert: CertificateRequired"],
        TlsProblem {
            cause: "etcd requires a client certificate, and none was sent",
            cure: "set certFile and keyFile in the etcd section",
        },
    ),
    (
        &[
            "alert: BadCertificate",
            "alert: UnsupportedCertificate",
            "alert: CertificateUnknown",
        ],
        TlsProblem {
            cause: "etcd refused the client certificate: it has expired, is not for clients, or is \
                    signed by an authority that etcd does not trust",
            cure: "run routed doctor, and issue a certFile with extendedKeyUsage clientAuth by the \
                   authority in etcd's --trusted-ca-file",
        },
    ),
    (
        &["UnsupportedCertVersion"],
        TlsProblem {
            cause: "etcd's certificate is of X.509 version 1, which is not accepted",
            cure: "issue etcd a certificate of version 3, with its names and addresses in \
                   subjectAltName (openssl x509 -req needs -extfile for that)",
        },
    ),
    (
        &["UnknownIssuer"],
        TlsProblem {
            cause: "etcd's certificate is not signed by an authority in caFile",
            cure: "caFile is not the authority that signed etcd's certificate: put the right one \
                   there",
        },
    ),
    (
        &[
            "NotValidForName",
            "not valid for name",
            "not valid for any names",
        ],
        TlsProblem {
            cause: "etcd's certificate does not name the endpoint",
            cure: "etcd's certificate does not name the endpoint: use a name or address that it \
                   has in subjectAltName, or issue one with this name",
        },
    ),
    (
        &["InvalidPurpose", "extended key usage"],
        TlsProblem {
            cause: "etcd's certificate is not for servers",
            cure: "issue etcd a certificate with extendedKeyUsage serverAuth",
        },
    ),
    (
        &["NotValidYet", "not valid before", "not valid yet"],
        TlsProblem {
            cause: "etcd's certificate is not valid yet by this host's clock",
            cure: "this host's clock is behind, or etcd's certificate is not valid yet: check both",
        },
    ),
];

const EXPIRED: TlsProblem = TlsProblem {
    cause: "etcd's certificate has expired",
    cure: "renew etcd's certificate, or correct this host's clock",
};

/// What an error of the TLS library means; `None` if it is another error.
pub fn tls_problem(text: &str) -> Option<TlsProblem> {
    let known = PROBLEMS.iter();
    let mut known = known.filter(|(parts, _)| parts.iter().any(|part| text.contains(part)));
    let is_expired = text.contains("certificate expired") || text.contains(": Expired");
    known
        .next()
        .map(|(_, problem)| *problem)
        .or(is_expired.then_some(EXPIRED))
}

/// What is wrong with this node's own certificate or key, with the cure: for an error that came before
/// any connection was made.
pub(crate) fn identity_problem(text: &str) -> Option<&'static str> {
    [
        (
            "UnsupportedCertVersion",
            "the client certificate is of X.509 version 1, which is not accepted: issue one of \
             version 3, with extendedKeyUsage clientAuth (openssl x509 -req needs -extfile for that)",
        ),
        (
            "KeyMismatch",
            "the key in keyFile is not that of the client certificate: take both from one issue",
        ),
    ]
    .into_iter()
    .find_map(|(part, problem)| text.contains(part).then_some(problem))
}

/// The text with its meaning in front, if it is an error of the TLS library.
pub(crate) fn in_words(text: String) -> String {
    match tls_problem(&text) {
        Some(problem) if !text.starts_with(problem.cause) => {
            format!("{} ({text})", problem.cause)
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests;
