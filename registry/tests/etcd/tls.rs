//! TLS: valid, invalid, missing and replaced certificates.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use registry::RegistryEvent;
use serde_json::json;
use wire::conf::IpamConfig;

use crate::connection::soon;
use crate::support::etcd::Etcd;
use crate::support::{MACHINE, agree, changes, event, net, node, open, reset};

/// A certificate authority and its certificates, made with the openssl program.
struct Authority<'a>(&'a Path);

impl Authority<'_> {
    fn openssl(&self, arguments: &[&str]) {
        let status = Command::new("openssl")
            .args(arguments)
            .current_dir(self.0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("openssl can be run");
        assert!(status.success(), "openssl {arguments:?}");
    }

    fn found(&self, name: &str) {
        self.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
            "-subj",
            &format!("/CN={name}"),
            "-keyout",
            &format!("{name}.key"),
            "-out",
            &format!("{name}.pem"),
            "-addext",
            "basicConstraints=critical,CA:TRUE",
        ]);
    }

    fn sign(&self, by: &str, name: &str) {
        let extensions = "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n";
        fs::write(self.0.join("extensions"), extensions).unwrap();
        self.sign_with(by, name, &["-extfile", "extensions"]);
    }

    /// Without extensions, the certificate is of X.509 version 1.
    fn sign_with(&self, by: &str, name: &str, options: &[&str]) {
        self.openssl(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            &format!("/CN={name}"),
            "-keyout",
            &format!("{name}.key"),
            "-out",
            "request",
        ]);
        let (certificate, key) = (format!("{by}.pem"), format!("{by}.key"));
        let out = format!("{name}.pem");
        let sign = ["x509", "-req", "-in", "request", "-CA", &certificate];
        let more = [
            "-CAkey",
            &key,
            "-CAcreateserial",
            "-days",
            "2",
            "-out",
            &out,
        ];
        self.openssl(&[&sign[..], &more, options].concat());
    }
}

/// An etcd with TLS that requires certificates of the authority `ours`. Others are in its folder.
fn secure_etcd() -> Etcd {
    Etcd::start_with("https", |folder| {
        let authority = Authority(folder);
        authority.found("ours");
        authority.found("theirs");
        authority.sign("ours", "server");
        authority.sign("ours", "client");
        authority.sign("theirs", "stranger");
        authority.sign_with("ours", "old", &[]);
        let file = |name: &str| folder.join(name).display().to_string();
        vec![
            format!("--cert-file={}", file("server.pem")),
            format!("--key-file={}", file("server.key")),
            format!("--trusted-ca-file={}", file("ours.pem")),
            "--client-cert-auth".to_owned(),
        ]
    })
}

fn secure_conf(etcd: &Etcd, authority: &str, client: Option<&str>) -> IpamConfig {
    let file = |name: String| etcd.folder().join(name).display().to_string();
    let mut section = json!({
        "endpoints": [etcd.endpoint()],
        "caFile": file(format!("{authority}.pem")),
    });
    if let Some(client) = client {
        section["certFile"] = file(format!("{client}.pem")).into();
        section["keyFile"] = file(format!("{client}.key")).into();
    }
    let ipam = json!({
        "type": "flatland-ipam", "podCIDRs": ["10.244.0.0/16"], "etcd": section,
    });
    let entry = json!({ "cniVersion": "1.0.0", "name": "blue", "type": "flatland", "ipam": ipam });
    IpamConfig::parse(&entry).unwrap()
}

#[tokio::test]
async fn valid_certificates_work_and_others_are_readable_errors() {
    let etcd = secure_etcd();
    agree(&open(&secure_conf(&etcd, "ours", Some("client"))))
        .await
        .unwrap();
    for (authority, client, part) in [
        ("theirs", Some("client"), "UnknownIssuer"),
        ("ours", Some("stranger"), "certificate"),
        ("ours", None, "certificate"),
        ("ours", Some("lost"), "lost.pem"),
        ("lost", Some("client"), "lost.pem"),
    ] {
        let error = soon(&secure_conf(&etcd, authority, client)).await;
        assert!(
            error
                .message()
                .to_lowercase()
                .contains(&part.to_lowercase()),
            "{error}"
        );
    }
}

#[tokio::test]
async fn client_certificate_of_version_1_is_named_with_the_cure() {
    let etcd = secure_etcd();
    let error = soon(&secure_conf(&etcd, "ours", Some("old"))).await;
    let text = error.message();
    let file = etcd.folder().join("old.pem").display().to_string();
    assert!(text.starts_with(&file), "{text}");
    for part in [
        "client certificate is of X.509 version 1",
        "issue one of version 3",
        "clientAuth",
    ] {
        assert!(text.contains(part), "{text}");
    }

    // The key of another certificate.
    let key = |name: &str| etcd.folder().join(name);
    fs::copy(key("stranger.key"), key("old.key")).unwrap();
    fs::copy(key("client.pem"), key("old.pem")).unwrap();
    let error = soon(&secure_conf(&etcd, "ours", Some("old"))).await;
    let text = error.message();
    assert!(
        text.contains("keyFile is not that of the client certificate"),
        "{text}"
    );
}

#[tokio::test]
async fn replaced_certificate_is_used_by_the_next_connection() {
    let mut etcd = secure_etcd();
    let registry = open(&secure_conf(&etcd, "ours", Some("client")));
    agree(&registry).await.unwrap();
    let mut events = registry.watch();
    reset(&mut events).await;

    // Everything is signed by a new authority of the same name.
    etcd.stop();
    let authority = Authority(etcd.folder());
    authority.found("ours");
    authority.sign("ours", "server");
    authority.sign("ours", "client");
    etcd.start_again();
    registry
        .claim(&node("a"), MACHINE, &net("10.244.0.0/16"))
        .await
        .unwrap();
    loop {
        match event(&mut events).await {
            RegistryEvent::Connected => break,
            RegistryEvent::Disconnected { .. } => {}
            other => panic!("expected to be connected again, got {other:?}"),
        }
    }
    assert_eq!(changes(&mut events).await.1.len(), 2);
}
