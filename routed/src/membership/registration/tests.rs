use std::time::Duration;

use daemonkit::OnChange;

use super::*;

fn unreachable(why: &str) -> Error {
    Error::Unreachable {
        endpoints: vec!["http://192.168.1.2:2379".to_owned()],
        within: Duration::from_secs(30),
        why: why.to_owned(),
    }
}

fn refused(why: &str) -> Error {
    Error::Refused {
        endpoint: "http://192.168.1.2:2379".to_owned(),
        why: why.to_owned(),
        denied: false,
    }
}

#[test]
fn outage_is_logged_once_and_other_failure_again() {
    let mut failure = OnChange::default();
    for (error, is_new) in [
        (unreachable("connection refused"), true),
        (unreachable("no connection in time"), false),
        (refused("database space exceeded"), true),
        (refused("database space exceeded"), false),
        (refused("too many requests"), true),
        (unreachable("connection refused"), true),
    ] {
        let text = error.to_string();
        assert_eq!(failure.changed(dedup_key(&error, &text)), is_new, "{text}");
    }
}

#[test]
fn request_differs_by_record_or_lost_subnets_only() {
    let request = DesiredRegistration {
        record: NodeRecord {
            addresses: Vec::new(),
            machine_id: "0123456789abcdef0123456789abcdef".to_owned(),
            session: None,
        },
        generation: 1,
        lost: BTreeMap::new(),
    };
    let mut later = request.clone();
    later.generation = 2;
    assert!(later.same_request(&request));

    let mut moved = request.clone();
    moved.record.addresses = vec!["192.168.1.11".parse().unwrap()];
    assert!(!moved.same_request(&request));

    let mut poorer = request.clone();
    let other = NodeName::new("n2").unwrap();
    poorer.lost.insert("10.244.7.0/24".parse().unwrap(), other);
    assert!(!poorer.same_request(&request));
}
