use super::*;

#[test]
fn error_of_the_library_is_said_in_words() {
    for (text, part) in [
        (
            "invalid peer certificate: UnknownIssuer",
            "not signed by an authority in caFile",
        ),
        (
            "invalid peer certificate: Other(OtherError(UnsupportedCertVersion))",
            "X.509 version 1",
        ),
        (
            "invalid peer certificate: certificate expired: verification time 2 (UNIX)",
            "etcd's certificate has expired",
        ),
        (
            "invalid peer certificate: certificate not valid for name \"etcd\"",
            "does not name the endpoint",
        ),
        (
            "invalid peer certificate: certificate does not allow extended key usage for \
                 server authentication, allows client authentication",
            "not for servers",
        ),
        (
            "received fatal alert: BadCertificate",
            "refused the client certificate",
        ),
        ("received fatal alert: CertificateRequired", "none was sent"),
        (
            "received fatal alert: UnknownCA",
            "does not trust its issuer",
        ),
        ("received fatal alert: CertificateExpired", "it has expired"),
    ] {
        let words = in_words(text.to_owned());
        assert!(words.contains(part) && words.contains(text), "{words}");
        assert_eq!(in_words(words.clone()), words);
    }
    assert_eq!(
        in_words("connection refused".to_owned()),
        "connection refused"
    );
}
