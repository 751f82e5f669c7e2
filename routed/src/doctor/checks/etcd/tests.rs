use registry::{NodeRecord, Presence};
use wire::node::NodeName;

use super::*;
use crate::doctor::Severity;

#[test]
fn each_failure_of_etcd_has_its_advice() {
    let endpoints = ["https://192.168.1.2:2379".to_owned()];
    examine(&endpoints, &Ok(42)).assert(Severity::Ok, "at revision 42", "");
    for (error, fix) in [
        ("no connection in time", "check that etcd runs"),
        ("invalid peer certificate: UnknownIssuer", "caFile is not"),
        (
            "invalid peer certificate: certificate expired: ...",
            "renew etcd's",
        ),
        (
            "invalid peer certificate: certificate not valid for name",
            "does not name",
        ),
        (
            "invalid peer certificate: Other(OtherError(UnsupportedCertVersion))",
            "of version 3",
        ),
        ("received fatal alert: BadCertificate", "clientAuth"),
    ] {
        let answer = Err((error.to_owned(), "check that etcd runs"));
        examine(&endpoints, &answer).assert(Severity::Broken, error, fix);
    }
}

#[test]
fn clone_that_is_present_is_named_and_own_session_is_not() {
    let node = NodeName::new("n1").unwrap();
    let mut snapshot = Snapshot::default();
    let record = NodeRecord {
        addresses: Vec::new(),
        machine_id: "m".to_owned(),
        session: Some("a".to_owned()),
    };
    let presence = Presence {
        session: "a".to_owned(),
        address: "192.168.1.11".parse().ok(),
        version: String::new(),
        since: None,
    };
    snapshot.nodes.insert(node.clone(), record);
    assert_eq!(find_clone(&snapshot, "m", Some("b")), None, "absent");
    snapshot.presence.insert(node, presence);
    let found = find_clone(&snapshot, "m", Some("b")).unwrap();
    found.assert(
        Severity::Broken,
        "node n1, which is present at 192.168.1.11",
        "clone",
    );
    for (machine, session) in [("m", Some("a")), ("m", None), ("other", Some("b"))] {
        assert_eq!(find_clone(&snapshot, machine, session), None);
    }
}
