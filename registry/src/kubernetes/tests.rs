use super::*;

use serde_json::json;

#[test]
fn cluster_is_known_by_the_start_of_its_uid() {
    for (uid, expected) in [
        (
            "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
            0x0a1b_2c3d_4e5f_6071,
        ),
        ("", 0),
    ] {
        assert_eq!(cluster_id(uid), expected, "{uid}");
    }
}

/// What a node of this name and machine is given.
fn acquired(seen: &WatchedNodes, name: &str, machine: &str) -> Result<Vec<String>, Error> {
    let claimant = Claimant {
        node: &name.parse().unwrap(),
        machine,
        session: None,
        addresses: None,
    };
    let acquired = seen.acquire(claimant)?;
    Ok(acquired.subnets.iter().map(ToString::to_string).collect())
}

fn node(name: &str, created: u8, pod_cidr: &str) -> Node {
    let created = format!("2026-01-{created:02}T00:00:00Z");
    serde_json::from_value(json!({
        "metadata": { "name": name, "uid": name, "creationTimestamp": created },
        "spec": { "podCIDR": pod_cidr },
        "status": { "nodeInfo": { "machineID": "ABC" } },
    }))
    .unwrap()
}

#[test]
fn node_without_a_usable_pod_cidr_has_none_and_is_advised() {
    let mut seen = WatchedNodes::new(&["10.244.0.0/16".parse().unwrap()], true);
    let nodes = vec![
        node("a", 1, "10.244.1.0/24"),
        node("b", 2, "10.244.1.0/24"),
        node("c", 3, "10.9.0.0/24"),
        node("d", 4, ""),
    ];
    seen.reset(nodes, 1, 1);
    assert_eq!(acquired(&seen, "a", "abc").unwrap(), ["10.244.1.0/24"]);
    for (name, why, advice) in [
        ("b", "belongs to the older node a", "delete its Node object"),
        ("c", "is not inside 10.244.0.0/16", "delete its Node object"),
        ("d", "has no podCIDRs", "--allocate-node-cidrs"),
    ] {
        let error = acquired(&seen, name, "abc").unwrap_err();
        assert!(matches!(error, Error::NoPodCidrs { .. }), "{error:?}");
        assert!(error.message().contains(why), "{error}");
        assert!(error.advice().contains(advice), "{error}");
    }
    // A Node that is missing may be back soon.
    let error = acquired(&seen, "e", "abc").unwrap_err();
    assert!(matches!(error, Error::Kubernetes { .. }), "{error:?}");
}

#[test]
fn another_cluster_does_not_widen_the_network_for_good() {
    let mut seen = WatchedNodes::new(&["10.244.0.0/24".parse().unwrap()], false);
    seen.reset(vec![node("a", 1, "10.244.1.0/24")], 1, 1);
    assert_eq!(seen.view.network().to_string(), "10.244.0.0/23");
    seen.reset(vec![node("a", 1, "10.50.0.0/24")], 2, 9);
    assert_eq!(seen.view.network().to_string(), "10.50.0.0/24");
    seen.reset(vec![node("a", 1, "10.244.0.0/25")], 3, 9);
    assert_eq!(seen.view.network().to_string(), "10.244.0.0/24");
    seen.reset(vec![node("a", 1, "10.244.1.0/24")], 1, 2);
    assert_eq!(seen.view.network().to_string(), "10.244.0.0/23");
}
