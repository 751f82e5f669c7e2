use super::*;
use crate::RegistryChange;

fn network(json: &str) -> Result<Network, String> {
    read_network(json.as_bytes())
}

fn dual() -> Network {
    network(r#"{"podCIDRs":["10.244.0.0/16","fd00:10:244::/56"],"subnetLengths":[24,80]}"#).unwrap()
}

#[test]
fn values_render_as_documented() {
    let record = NodeRecord {
        addresses: vec!["192.168.1.20".parse().unwrap()],
        machine_id: "4f2a".to_owned(),
        session: None,
    };
    assert_eq!(
        write_value(&record),
        r#"{"addresses":["192.168.1.20"],"machineId":"4f2a"}"#
    );
    let claim = Claim {
        node: "node-1".parse().unwrap(),
    };
    assert_eq!(write_value(&claim), r#"{"node":"node-1"}"#);
    let presence = Presence {
        session: "s".to_owned(),
        address: None,
        version: "0.1.0".to_owned(),
        since: None,
    };
    assert_eq!(
        write_value(&presence),
        r#"{"session":"s","version":"0.1.0"}"#
    );
    assert_eq!(
        write_value(&dual()),
        r#"{"podCIDRs":["10.244.0.0/16","fd00:10:244::/56"],"subnetLengths":[24,80]}"#
    );
}

#[test]
fn unknown_fields_are_ignored() {
    let claim: Claim = read_value(br#"{"node":"node-1","since":17}"#).unwrap();
    assert_eq!(claim.node.to_string(), "node-1");
    let json = r#"{"podCIDRs":["10.0.0.0/8"],"subnetLengths":[24],"later":{}}"#;
    assert_eq!(network(json).unwrap().subnet_lengths, [24]);
}

#[test]
fn invalid_network_is_refused() {
    for (json, part) in [
        (r#"{"podCIDRs":[],"subnetLengths":[]}"#, "no pod CIDR"),
        (
            r#"{"podCIDRs":["10.0.0.0/8"],"subnetLengths":[]}"#,
            "one subnet length per",
        ),
        (
            r#"{"podCIDRs":["10.0.0.1/8"],"subnetLengths":[24]}"#,
            "host bits",
        ),
        (
            r#"{"podCIDRs":["10.0.0.0/8"],"subnetLengths":[7]}"#,
            "does not fit",
        ),
        (
            r#"{"podCIDRs":["10.0.0.0/8"],"subnetLengths":[33]}"#,
            "does not fit",
        ),
        (
            r#"{"podCIDRs":["10.0.0.0/8","11.0.0.0/8"],"subnetLengths":[24,24]}"#,
            "one family",
        ),
        (
            r#"{"podCIDRs":["pod"],"subnetLengths":[24]}"#,
            "cannot be read",
        ),
    ] {
        let why = network(json).unwrap_err();
        assert!(why.contains(part), "{json}: {why}");
    }
}

#[test]
fn networks_agree_in_any_order_of_families() {
    let mut other = dual();
    other.pod_cidrs.reverse();
    other.subnet_lengths.reverse();
    assert!(dual().agrees_with(&other));
    other.subnet_lengths[0] = 81;
    assert!(!dual().agrees_with(&other));
}

#[test]
fn subnet_belongs_to_a_pod_cidr_only_at_the_agreed_length() {
    let pod_cidr_of = |text: &str| dual().pod_cidr_of(&text.parse().unwrap());
    assert_eq!(pod_cidr_of("10.244.3.0/24"), Some(dual().pod_cidrs[0]));
    assert_eq!(pod_cidr_of("fd00:10:244::/80"), Some(dual().pod_cidrs[1]));
    for outside in [
        "10.244.3.0/25",
        "10.245.3.0/24",
        "10.244.3.1/24",
        "10.244.0.0/16",
    ] {
        assert_eq!(pod_cidr_of(outside), None, "{outside}");
    }
}

#[test]
fn malformed_record_says_why() {
    let long = format!(r#"{{"node":"{}"}}"#, "x".repeat(MAX_VALUE));
    for (key, value, part) in [
        ("subnets/10.244.3.0-24", "", "cannot be read"),
        ("subnets/10.244.3.0-24", "{}", "node"),
        (
            "subnets/10.244.3.0-24",
            r#"{"node":"UP PER"}"#,
            "cannot be read",
        ),
        ("subnets/10.244.3.0-24", long.as_str(), "longer than"),
        (
            "subnets/10.9.3.0-24",
            r#"{"node":"a"}"#,
            "not a subnet of the network",
        ),
        (
            "subnets/10.244.0.0-20",
            r#"{"node":"a"}"#,
            "not a subnet of the network",
        ),
        (
            "nodes/a",
            r#"{"addresses":["x"],"machineId":"m"}"#,
            "cannot be read",
        ),
        ("nodes/a", "\u{0}", "cannot be read"),
        ("presence/a", "[]", "cannot be read"),
        ("config", "{}", "cannot be read"),
    ] {
        let parsed = key.parse().unwrap();
        let why = RegistryChange::read(Some(&dual()), parsed, value.as_bytes()).unwrap_err();
        assert!(why.contains(part), "{key}: {why}");
    }
}

/// Another program may write records that are as long as is read at all; most of that is dropped.
#[test]
fn texts_of_records_are_cut_to_what_is_needed() {
    let long = "\u{e4}".repeat(3_500);
    let value = format!(r#"{{"session":"{long}","version":"{long}","more":[1]}}"#);
    let presence: Presence = read_value(value.as_bytes()).unwrap();
    assert_eq!((presence.session.len(), presence.version.len()), (64, 64));
    let value = format!(r#"{{"machineId":"{long}","session":"{long}"}}"#);
    let record: NodeRecord = read_value(value.as_bytes()).unwrap();
    assert_eq!(record.machine_id.len(), 64);
    assert_eq!(record.session.map(|it| it.len()), Some(64));
}
