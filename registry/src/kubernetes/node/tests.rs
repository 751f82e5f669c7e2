use super::*;

use serde_json::{Value, json};

fn facts(value: Value) -> NodeFacts {
    let node: Node = serde_json::from_value(value).unwrap();
    node.facts
}

#[test]
fn node_says_its_subnets_next_hops_machine_and_presence() {
    let facts = facts(json!({
        "metadata": {
            "name": "n1", "uid": "u1", "resourceVersion": "77",
            "creationTimestamp": "2026-01-02T03:04:05Z", "labels": { "a": "b" }
        },
        "spec": { "podCIDR": "10.244.3.0/24", "podCIDRs": ["10.244.3.0/24", "fd00::3:0/112"] },
        "status": {
            "addresses": [
                { "type": "Hostname", "address": "n1" },
                { "type": "InternalIP", "address": "192.168.1.11" },
                { "type": "ExternalIP", "address": "203.0.113.9" },
                { "type": "InternalIP", "address": "fd00:192::11" },
                { "type": "InternalIP", "address": "192.168.1.11" }
            ],
            "conditions": [
                { "type": "MemoryPressure", "status": "False" },
                { "type": "Ready", "status": "True" }
            ],
            "nodeInfo": { "machineID": "m1", "bootID": "b1", "kubeletVersion": "v1.36.0" },
            "images": [{ "names": ["x"], "sizeBytes": 1 }]
        }
    }));
    assert_eq!(facts.age, ("2026-01-02T03:04:05Z".into(), "u1".into()));
    let cidrs: Vec<_> = facts.pod_cidrs.iter().map(ToString::to_string).collect();
    assert_eq!(cidrs, ["10.244.3.0/24", "fd00::3:0/112"]);
    let addresses: Vec<_> = facts
        .record
        .addresses
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(addresses, ["192.168.1.11", "fd00:192::11"]);
    assert_eq!(facts.record.machine_id, "m1");
    assert_eq!(facts.presence.unwrap().session, "b1");
    assert_eq!(facts.flaw, None);
}

#[test]
fn node_without_status_or_spec_has_nothing() {
    for value in [
        json!({ "metadata": { "name": "n1" } }),
        json!({ "spec": {}, "status": {} }),
        json!({ "spec": { "podCIDRs": null }, "status": { "addresses": null, "conditions": null } }),
    ] {
        let facts = facts(value);
        assert!(facts.pod_cidrs.is_empty() && facts.record.addresses.is_empty());
        assert_eq!((facts.presence, facts.flaw), (None, None));
    }
}

#[test]
fn node_that_is_not_ready_is_not_present() {
    for status in ["False", "Unknown"] {
        let conditions = json!([{ "type": "Ready", "status": status }]);
        let value = json!({ "status": { "conditions": conditions } });
        assert_eq!(facts(value).presence, None, "{status}");
    }
}

#[test]
fn unusable_pod_cidr_is_named_and_the_others_are_used() {
    for (texts, used, flaw) in [
        (&["10.244.3.1/24"][..], 0, "has host bits"),
        (&["x", "fd00::/112"], 1, "\"x\" is no pod CIDR"),
        (
            &["10.0.0.0/24", "10.1.0.0/24"],
            1,
            "is the second of its family",
        ),
        (&["0.0.0.0/0"], 0, "is larger than any node's"),
        (&["fd00::/16"], 0, "is larger than any node's"),
    ] {
        let facts = facts(json!({ "spec": { "podCIDRs": texts } }));
        assert_eq!(facts.pod_cidrs.len(), used, "{texts:?}");
        assert!(facts.flaw.unwrap().contains(flaw), "{texts:?}");
    }
}

#[test]
fn single_pod_cidr_of_an_old_object_counts() {
    let facts = facts(json!({ "spec": { "podCIDR": "10.244.3.0/24" } }));
    assert_eq!(facts.pod_cidrs.len(), 1);
}
