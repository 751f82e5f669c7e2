//! Connections that fail: how soon, in which words, and what works all the same.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use registry::{Event, Policy, Registry};
use tokio::time::Instant;
use wire::conf::IpamConfig;

use crate::support::etcd::Etcd;
use crate::support::proxy::Proxy;
use crate::support::{MACHINE, conf, net, node, open, reset};

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// What a program that somebody waits for gets, and when.
async fn failure(conf: &IpamConfig) -> (registry::Error, Duration) {
    failure_with(conf, Policy::default()).await
}

/// The same for one that gives up sooner.
pub(crate) async fn soon(conf: &IpamConfig) -> registry::Error {
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
            began.elapsed() < Duration::from_secs(2),
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
    let mut events = open(&conf(&[&endpoints[0], &endpoints[1]])).watch();
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
