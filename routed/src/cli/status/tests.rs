use std::collections::BTreeMap;

use daemonkit::http::HttpState;
use wire::node::NodeName;

use super::*;
use crate::identity::ROUTED;
use crate::status::policy::PolicyStatus;
use crate::status::{AddressUsage, Conflicts, NodeCounts, RegistryStatus, RouteCounts};

fn status() -> Status {
    Status {
        network: "flatland".into(),
        node: NodeName::new("n1").unwrap(),
        version: "0.1.0".into(),
        pid: 12,
        since: 1_000,
        troubles: vec![],
        remarks: vec![],
        missing: vec![],
        conflist: "/etc/cni/net.d/10-flatland.conflist".into(),
        addresses: vec!["192.168.1.11".parse().unwrap()],
        subnets: vec!["10.244.7.0/24".parse().unwrap()],
        registry: RegistryStatus {
            local: false,
            connected: true,
            revision: 42,
            lag_seconds: 0.0,
            why: None,
            distrust: None,
            held: BTreeMap::new(),
            present: true,
            ignored: 0,
            ignored_records: BTreeMap::new(),
        },
        nodes: NodeCounts {
            present: 3,
            absent: 0,
        },
        routes: RouteCounts {
            desired: 3,
            actual: 3,
            missing: 0,
            changes: [("repaired".to_owned(), 2)].into(),
        },
        claims_without_route: BTreeMap::new(),
        conflicts: Conflicts::default(),
        policy: None,
        http: Some(HttpState {
            address: "127.0.0.1:9470".parse().unwrap(),
            why: None,
        }),
        pods: [(
            "ipv4".to_owned(),
            AddressUsage {
                used: 3,
                cooling: 1,
                free: 249,
            },
        )]
        .into(),
    }
}

#[test]
fn healthy_node_is_shown_as_well() {
    let expected = "\
node n1 of network flatland: well
  routed     0.1.0, pid 12, running for 3h12m
  ready      yes, /etc/cni/net.d/10-flatland.conflist
  addresses  192.168.1.11
  subnets    10.244.7.0/24
  registry   connected, revision 42
  nodes      3 present, 0 absent
  routes     3 desired, 3 in the kernel, 0 missing; repaired 2 times
  pods       IPv4 3 used, 1 cooling, 249 free
  http       127.0.0.1:9470";
    assert_eq!(render(&status(), 12_520, Terminal::PIPE), expected);
}

#[test]
fn enforcement_of_policies_is_shown_if_it_is_configured() {
    let mut status = status();
    for (running, ready, expected) in [
        (Some(true), true, "flatland-policy is running"),
        (Some(true), false, "flatland-policy is starting"),
        (Some(false), true, "flatland-policy is not running"),
        (None, true, "unknown"),
    ] {
        let why = running.is_none().then(|| "denied".to_owned());
        let policy = PolicyStatus {
            running,
            why,
            ready,
        };
        status.policy = Some(policy);
        let text = render(&status, 1_000, Terminal::PIPE);
        let line = format!("\n  policy     {expected}\n  http       127.0.0.1:9470");
        assert!(text.contains(&line), "{text}");
    }
    let text = serde_json::to_vec(&status).unwrap();
    assert_eq!(serde_json::from_slice::<Status>(&text).unwrap(), status);
}

#[test]
fn troubles_and_remarks_are_listed_below() {
    let mut status = status();
    status.remarks.push("node n2 has been absent".into());
    let text = render(&status, 1_000, Terminal::PIPE);
    assert!(text.starts_with("node n1 of network flatland: well, see the remarks\n"));
    assert!(
        text.ends_with("\n\nremarks\n  - node n2 has been absent"),
        "{text}"
    );

    status
        .troubles
        .push("the registry has been out of reach".into());
    status.registry.connected = false;
    let text = render(&status, 1_000, Terminal::PIPE);
    assert!(text.starts_with("node n1 of network flatland: not well\n"));
    assert!(
        text.contains("\n  registry   not connected, revision 42\n"),
        "{text}"
    );
    assert!(text.contains("\n\ntroubles\n  - the registry has been out of reach\n"));
}

#[test]
fn status_survives_the_round_trip_as_json() {
    let mut status = status();
    let max = AddressUsage {
        free: u128::MAX,
        ..AddressUsage::default()
    };
    status.pods.insert("ipv6".into(), max);
    let text = serde_json::to_vec(&status).unwrap();
    assert_eq!(serde_json::from_slice::<Status>(&text).unwrap(), status);
}

#[test]
fn readiness_for_a_probe_is_one_line_with_what_is_missing() {
    let refused = || client::Error::Refused("no subnet\nno address".to_owned());
    let not = "not ready for pods: ";
    for (answer, text, status) in [
        (Ok(()), "ready for pods".to_owned(), 0),
        (Err(refused()), format!("{not}no subnet; no address"), 1),
        (
            Err(client::Error::NotRunning(ROUTED)),
            format!("{not}routed does not run on this node"),
            NOT_RUNNING,
        ),
    ] {
        let report = readiness(answer).unwrap();
        assert_eq!((report.text, report.status), (text, status));
    }
    let stuck = client::Error::failed(ROUTED, "no answer in time");
    assert_eq!(readiness(Err(stuck)).unwrap_err().status, 1);
}
