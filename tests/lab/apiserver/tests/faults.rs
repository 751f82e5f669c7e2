//! Faults.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::client::Client;
use super::{N1, NODES, names, put, start};
use crate::apiserver::{Answer, ApiServer, Certificate, Faults};

#[test]
fn answers_come_in_order_for_one_verb() {
    let (server, client) = start(4);
    let refused = Answer::Failure {
        code: 429,
        retry_after: Some(7),
    };
    let next = [
        refused,
        Answer::EmptyList,
        Answer::TruncatedList,
        Answer::BrokenList,
    ];
    server.set_faults(Faults {
        verb: Some("list"),
        next: next.into(),
        ..Faults::default()
    });
    client.get(N1).ok();
    let answer = client.get(NODES);
    assert_eq!(answer.header("retry-after"), Some("7"));
    assert_eq!(
        answer.fails(429, "TooManyRequests")["details"]["retryAfterSeconds"],
        7
    );
    assert_eq!(names(&client.get(NODES).ok()), "");
    let truncated = client.get(NODES).bytes().unwrap();
    assert!(serde_json::from_slice::<Value>(&truncated).is_err());
    assert!(client.get(NODES).bytes().is_err());
    assert_eq!(names(&client.get(NODES).ok()), "n1 n2 n3 n4");
}

#[test]
fn hanging_server_is_silent_until_it_goes_on() {
    let (server, mut client) = start(1);
    let mut watch = client.watch("");
    assert_eq!(watch.next(), "ADDED n1");
    server.set_faults(Faults {
        hang: true,
        garbage_events: 1,
        ..Faults::default()
    });
    put(&server, "n2");
    client.timeout = Duration::from_millis(100);
    assert!(!client.error().is_empty());
    thread::scope(|scope| {
        let event = scope.spawn(|| watch.next());
        assert!(!client.error().is_empty());
        assert!(!event.is_finished());
        server.set_faults(Faults {
            hang: false,
            ..server.faults()
        });
        assert_eq!(event.join().unwrap(), "garbage");
    });
}

#[test]
fn certificates_are_replaced() {
    let (server, client) = start(0);
    for (certificate, expected) in [
        (Certificate::WrongName, "not valid for name"),
        (Certificate::WrongAuthority, "BadSignature"),
        (Certificate::Valid, ""),
    ] {
        server.show(certificate).unwrap();
        let error = client.error();
        assert!(
            error.contains(expected) && error.is_empty() == expected.is_empty(),
            "{error}"
        );
    }
    server.rotate_ca().unwrap();
    assert!(!client.error().is_empty());
    Client::new(&server).get(NODES).ok();
}

#[test]
fn server_comes_back_with_another_history() {
    let (server, client) = start(1);
    let saved = server.save();
    let uid = |server: &Arc<ApiServer>| {
        server.get("namespaces", "", "kube-system").unwrap()["metadata"]["uid"].clone()
    };
    let own = uid(&server);
    let mut watch = client.watch("");
    assert_eq!(watch.next(), "ADDED n1");
    server.stop();
    assert_eq!(watch.next(), "");
    assert!(!client.error().is_empty());
    server.replace_cluster(5);
    server.listen().unwrap();
    assert_eq!(names(&client.get(NODES).ok()), "");
    assert!(server.version() < 1000 && uid(&server) != own);
    server.stop();
    server.restore(&saved);
    server.listen().unwrap();
    assert_eq!(names(&client.get(NODES).ok()), "n1");
    assert_eq!(uid(&server), own);
}
