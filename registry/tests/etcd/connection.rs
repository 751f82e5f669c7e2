//! Connection failures: time-outs, error texts, and fallback to other endpoints.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use registry::{Policy, Registry, RegistryEvent};
use tokio::time::Instant;
use wire::conf::IpamConfig;

use crate::support::etcd::Etcd;
use crate::support::proxy::Proxy;
use crate::support::{MACHINE, agree, conf, net, node, open, reset};

/// No program listens on this port.
const NOWHERE: &str = "http://127.0.0.1:9";

/// The error of a claim with the default policy, and how long it took.
async fn failure(conf: &IpamConfig) -> (registry::Error, Duration) {
    failure_with(conf, Policy::default()).await
}

/// The error of a claim with short time-outs.
pub(crate) async fn soon(conf: &IpamConfig) -> registry::Error {
    let operation_timeout = Duration::from_secs(1);
    failure_with(
        conf,
        Policy {
            operation_timeout,
            ..Policy::default()
        },
    )
    .await
    .0
}

async fn failure_with(conf: &IpamConfig, policy: Policy) -> (registry::Error, Duration) {
    let registry = Registry::open_with(conf, Path::new("/nowhere"), policy);
    let began = Instant::now();
    let error = registry
        .claim(&node("a"), MACHINE, &net("10.244.0.0/16"))
        .await
        .unwrap_err();
    (error, began.elapsed())
}

#[tokio::test]
async fn unreachable_etcd_is_an_error_within_5_seconds() {
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
async fn silent_etcd_is_an_error_within_5_seconds() {
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
async fn unresolvable_name_is_a_readable_error() {
    let error = soon(&conf(&["http://no-such-host.invalid:2379"])).await;
    assert!(error.message().contains("no-such-host.invalid"), "{error}");
    assert!(error.message().contains("lookup"), "{error}");
}

#[tokio::test]
async fn one_answering_endpoint_is_enough() {
    let etcd = Etcd::start();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    let endpoint = etcd.endpoint();
    for _ in 0..5 {
        let registry = open(&conf(&[NOWHERE, &silent, &endpoint]));
        let began = Instant::now();
        agree(&registry).await.unwrap();
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
    }
}

#[tokio::test]
async fn unanswered_request_is_repeated_at_another_endpoint() {
    let etcd = Etcd::start();
    let proxies = [
        Proxy::to(etcd.address()).await,
        Proxy::to(etcd.address()).await,
    ];
    let endpoints = proxies.each_ref().map(Proxy::endpoint);
    let registry = open(&conf(&[&endpoints[0], &endpoints[1]]));
    agree(&registry).await.unwrap();
    // One of the two endpoints has the connection.
    for [silent, other] in [[0, 1], [1, 0]] {
        proxies[silent].stall();
        proxies[other].resume();
        agree(&registry).await.unwrap();
    }
}

#[tokio::test]
async fn watch_moves_on_to_another_endpoint() {
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
                RegistryEvent::Changes { .. } => break,
                RegistryEvent::Connected | RegistryEvent::Disconnected { .. } => {}
                RegistryEvent::Reset(snapshot) => {
                    assert!(!snapshot.nodes.is_empty());
                    break;
                }
            }
        }
    }
}

/// etcd takes 2.5 s per request. That is too long for the default policy.
#[tokio::test]
async fn daemon_policy_waits_for_a_slow_etcd() {
    let etcd = Etcd::start();
    let proxy = Proxy::to(etcd.address()).await;
    let conf = conf(&[&proxy.endpoint()]);
    proxy.delay(Duration::from_secs(3));
    let registry = Registry::open_with(&conf, Path::new("/nowhere"), Policy::daemon());
    agree(&registry).await.unwrap();
}

#[tokio::test]
async fn etcd_that_requires_a_user_is_an_error() {
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
