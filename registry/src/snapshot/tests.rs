use super::*;

const CONFIG: &str = r#"{"podCIDRs":["10.244.0.0/16"],"subnetLengths":[24]}"#;

fn snapshot(records: &[(&str, &str)]) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for (name, value) in records {
        snapshot.insert(name, value.as_bytes());
    }
    snapshot
}

#[test]
fn valid_records_are_sorted_in_and_invalid_ones_named() {
    let snapshot = snapshot(&[
        ("config", CONFIG),
        (
            "nodes/a",
            r#"{"addresses":["192.168.1.20"],"machineId":"m"}"#,
        ),
        ("nodes/b", "garbage"),
        ("presence/a", r#"{"session":"s"}"#),
        ("subnets/10.244.1.0-24", r#"{"node":"a"}"#),
        ("subnets/10.244.1.0-25", r#"{"node":"b"}"#),
        ("subnets/10.9.0.0-24", r#"{"node":"b"}"#),
        ("whatever", ""),
    ]);
    assert_eq!(snapshot.nodes.len(), 1);
    assert_eq!(snapshot.presence.len(), 1);
    assert_eq!(
        snapshot
            .subnets
            .keys()
            .map(IpNet::to_string)
            .collect::<Vec<_>>(),
        ["10.244.1.0/24"]
    );
    assert_eq!(
        snapshot.rejected.keys().collect::<Vec<_>>(),
        [
            "nodes/b",
            "subnets/10.244.1.0-25",
            "subnets/10.9.0.0-24",
            "whatever"
        ]
    );
}

/// Every change of a key's value, from and to each kind of value or none, gives the same result as
/// a fresh snapshot.
#[test]
fn applied_changes_equal_a_fresh_snapshot() {
    let values: [(&str, [Option<&str>; 4]); 4] = [
        (
            "subnets/10.244.1.0-24",
            [
                None,
                Some(r#"{"node":"a"}"#),
                Some("x"),
                Some(r#"{"node":"b"}"#),
            ],
        ),
        (
            "nodes/a",
            [
                None,
                Some(r#"{"machineId":"m"}"#),
                Some("x"),
                Some(r#"{"machineId":"n"}"#),
            ],
        ),
        (
            "presence/a",
            [
                None,
                Some(r#"{"session":"1"}"#),
                Some(""),
                Some(r#"{"session":"2"}"#),
            ],
        ),
        ("nonsense", [None, Some("1"), Some("2"), None]),
    ];
    for (name, values) in values {
        for before in values {
            for after in values {
                let fresh = |value: Option<&'static str>| {
                    let value = value.map(|value| (name, value));
                    snapshot(
                        &[Some(("config", CONFIG)), value]
                            .into_iter()
                            .flatten()
                            .collect::<Vec<_>>(),
                    )
                };
                let mut followed = fresh(before);
                let network = followed.network.clone();
                let change = match after {
                    Some(value) => {
                        RegistryChange::of_value(network.as_ref(), name, value.as_bytes())
                    }
                    None => RegistryChange::of_absence(name),
                };
                followed.apply(0, vec![change]);
                assert_eq!(followed, fresh(after), "{name}: {before:?} -> {after:?}");
            }
        }
    }
}

#[test]
fn many_invalid_records_take_bounded_memory() {
    let mut snapshot = Snapshot::default();
    for at in 0..3 * MAX_REJECTED {
        snapshot.insert(&format!("{at}-{}", "x".repeat(4 * MAX_TEXT)), b"");
    }
    assert_eq!(snapshot.rejected.len(), MAX_REJECTED);
    assert!(snapshot.rejected.keys().all(|key| key.len() < 2 * MAX_TEXT));
}
