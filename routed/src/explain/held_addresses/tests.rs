use super::*;

/// Pod shop/web-0 in container abc1, with an address of each family, and container abc2 of no pod.
fn held() -> HeldAddresses {
    let allocation = |container_id: &str, pod: Option<&str>| Allocation {
        container_id: container_id.to_owned(),
        interface: "eth0".to_owned(),
        subnet: "10.0.0.0/24".parse().unwrap(),
        since: 0,
        pod_namespace: pod.map(|_| "shop".to_owned()),
        pod_name: pod.map(ToOwned::to_owned),
        pod_uid: None,
        netns: None,
        netns_inode: None,
    };
    let of = |address: &str, container_id, pod| {
        (address.parse().unwrap(), allocation(container_id, pod))
    };
    HeldAddresses(vec![
        of("10.0.0.2", "abc1", Some("web-0")),
        of("fd00::2", "abc1", Some("web-0")),
        of("10.0.0.3", "abc2", None),
    ])
}

#[test]
fn pod_is_found_by_address_by_name_and_by_container_id() {
    for (pod, expected) in [
        ("10.9.9.9", &["10.9.9.9"][..]),
        ("fd00::9", &["fd00::9"]),
        ("shop/web-0", &["10.0.0.2", "fd00::2"]),
        ("abc1", &["10.0.0.2", "fd00::2"]),
        ("abc2", &["10.0.0.3"]),
    ] {
        let found = held().of_pod(pod).unwrap();
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{pod}");
    }
    for unknown in ["shop/db-0", "abc", "web-0", ""] {
        let error = held().of_pod(unknown).unwrap_err();
        assert!(error.contains("has an address on this node"), "{error}");
    }
}

#[test]
fn policies_are_asked_for_names_of_all_nodes_and_for_addresses() {
    for (pod, expected) in [
        ("10.9.9.9", "10.9.9.9"),
        ("fd00::9", "fd00::9"),
        ("shop/web-0", "shop/web-0"),
        ("shop/db-0", "shop/db-0"),
        ("abc1", "10.0.0.2"),
        ("abc2", "10.0.0.3"),
    ] {
        assert_eq!(held().for_policies(pod).as_deref(), Ok(expected), "{pod}");
    }
    assert!(held().for_policies("abc3").is_err());
}
