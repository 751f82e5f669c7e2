//! Connections that fail: how soon, in which words, and what works all the same.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::etcd::Etcd;
use crate::support::proxy::Proxy;
use crate::support::{MACHINE, changes, conf, net, node, open, reset};
use registry::{Event, Policy, Registry};
use serde_json::json;
use tokio::time::Instant;
use wire::conf::IpamConfig;

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// What a program that somebody waits for gets, and when.
async fn failure(conf: &IpamConfig) -> (registry::Error, Duration) {
    failure_with(conf, Policy::default()).await
}

/// The same for one that gives up sooner.
async fn soon(conf: &IpamConfig) -> registry::Error {
    let patience = Duration::from_secs(1);
    failure_with(
        conf,
        Policy {
            patience,
            ..Policy::default()
        },
    )
    .await
    .0
}

async fn failure_with(conf: &IpamConfig, policy: Policy) -> (registry::Error, Duration) {
    let registry = Registry::open_with(conf, Path::new("/nowhere"), policy).unwrap();
    let began = Instant::now();
    let error = registry
        .claim(&node("a"), MACHINE, &net("10.244.0.0/16"))
        .await
        .unwrap_err();
    (error, began.elapsed())
}

#[tokio::test]
async fn an_etcd_that_is_away_is_an_error_within_five_seconds() {
    let (error, after) = failure(&conf(&[NOWHERE])).await;
    assert_eq!(error.code(), 11);
    let text = error.message();
    assert!(
        text.starts_with(&format!("etcd at {NOWHERE} did not answer within 5 s: ")),
        "{text}"
    );
    assert!(text.contains("Connection refused"), "{text}");
    assert!(after < Duration::from_millis(5500), "{after:?}");
}

#[tokio::test]
async fn an_etcd_that_says_nothing_is_an_error_within_five_seconds() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    for endpoints in [vec![endpoint.as_str()], vec![&endpoint, NOWHERE]] {
        let (error, after) = failure(&conf(&endpoints)).await;
        assert_eq!(error.code(), 11);
        assert!(error.message().contains(&endpoint), "{error}");
        assert!(after < Duration::from_millis(5500), "{after:?}");
    }
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_readable_error() {
    let error = soon(&conf(&["http://no-such-host.invalid:2379"])).await;
    assert!(error.message().contains("no-such-host.invalid"), "{error}");
    assert!(error.message().contains("lookup"), "{error}");
}

#[tokio::test]
async fn one_endpoint_that_answers_is_enough() {
    let etcd = Etcd::start();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let endpoint = etcd.endpoint();
    for _ in 0..5 {
        let registry = open(&conf(&[NOWHERE, &silent, &endpoint]));
        let began = Instant::now();
        registry.agree().await.unwrap();
        assert!(
            began.elapsed() < Duration::from_secs(1),
            "{:?}",
            began.elapsed()
        );
    }
}

#[tokio::test]
async fn a_request_that_is_not_answered_is_made_again_elsewhere() {
    let etcd = Etcd::start();
    let proxies = [
        Proxy::to(etcd.address()).await,
        Proxy::to(etcd.address()).await,
    ];
    let endpoints = proxies.each_ref().map(Proxy::endpoint);
    let registry = open(&conf(&[&endpoints[0], &endpoints[1]]));
    registry.agree().await.unwrap();
    // One of the two carries the connection.
    for [silent, other] in [[0, 1], [1, 0]] {
        proxies[silent].stall();
        proxies[other].resume();
        registry.agree().await.unwrap();
    }
}

#[tokio::test]
async fn following_moves_on_to_another_endpoint() {
    let etcd = Etcd::start();
    let proxies = [
        Proxy::to(etcd.address()).await,
        Proxy::to(etcd.address()).await,
    ];
    let endpoints = proxies.each_ref().map(Proxy::endpoint);
    let mut events = open(&conf(&[&endpoints[0], &endpoints[1]])).follow();
    reset(&mut events).await;
    for proxy in &proxies {
        for other in &proxies {
            other.resume();
        }
        proxy.stall();
        etcd.put("/flatland/blue/nodes/a", r#"{"machineId":"m"}"#)
            .await;
        loop {
            match crate::support::event(&mut events).await {
                Event::Changes { .. } => break,
                Event::Connected | Event::Disconnected { .. } => {}
                Event::Reset(snapshot) => {
                    assert!(!snapshot.nodes.is_empty());
                    break;
                }
            }
        }
    }
}

/// Two and a half seconds is what a request may take for a program that somebody waits for.
#[tokio::test]
async fn a_daemon_waits_for_a_slow_etcd() {
    let etcd = Etcd::start();
    let proxy = Proxy::to(etcd.address()).await;
    let conf = conf(&[&proxy.endpoint()]);
    proxy.delay(Duration::from_secs(3));
    let registry = Registry::open_with(&conf, Path::new("/nowhere"), Policy::daemon()).unwrap();
    registry.agree().await.unwrap();
}

/// A certificate authority and what it signed, made with the openssl program.
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
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            "request",
            "-CA",
            &format!("{by}.pem"),
            "-CAkey",
            &format!("{by}.key"),
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            "extensions",
            "-out",
            &format!("{name}.pem"),
        ]);
    }
}

/// An etcd with TLS that asks for certificates of the authority `ours`; others are in its folder.
fn secure_etcd() -> Etcd {
    Etcd::start_with("https", |folder| {
        let authority = Authority(folder);
        authority.found("ours");
        authority.found("theirs");
        authority.sign("ours", "server");
        authority.sign("ours", "client");
        authority.sign("theirs", "stranger");
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
async fn certificates_work_and_wrong_ones_are_readable_errors() {
    let etcd = secure_etcd();
    open(&secure_conf(&etcd, "ours", Some("client")))
        .agree()
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
async fn a_replaced_certificate_is_used_from_the_next_connection_on() {
    let mut etcd = secure_etcd();
    let registry = open(&secure_conf(&etcd, "ours", Some("client")));
    registry.agree().await.unwrap();
    let mut events = registry.follow();
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
        match crate::support::event(&mut events).await {
            Event::Connected => break,
            Event::Disconnected { .. } => {}
            other => panic!("expected to be connected again, got {other:?}"),
        }
    }
    assert_eq!(changes(&mut events).await.1.len(), 2);
}

#[tokio::test]
async fn an_etcd_that_wants_a_user_says_so() {
    let etcd = Etcd::start();
    let mut auth = etcd.client().await.auth_client();
    auth.user_add("root", "secret", None).await.unwrap();
    auth.user_grant_role("root", "root").await.unwrap();
    auth.auth_enable().await.unwrap();
    let (error, after) = failure(&conf(&[&etcd.endpoint()])).await;
    assert_eq!(error.code(), 7);
    assert!(error.message().contains("user name is empty"), "{error}");
    assert!(error.message().contains(&etcd.endpoint()), "{error}");
    assert!(
        after < Duration::from_secs(2),
        "it does not try again: {after:?}"
    );
}
