//! Valid and invalid `ipam` sections.

use serde_json::json;

use super::*;
use crate::cni::code;

/// A valid configuration with `change` merged into its `ipam`; `"-"` removes a key.
fn with(change: &Value) -> Value {
    let mut ipam = json!({"type": "flatland-ipam", "podCIDRs": ["10.244.0.0/16"]});
    for (key, value) in change.as_object().unwrap() {
        ipam[key] = value.clone();
    }
    ipam.as_object_mut()
        .unwrap()
        .retain(|_, value| *value != "-");
    json!({"name": "blue", "type": "flatland", "whatever": 1, "ipam": ipam})
}

fn refused(change: &Value) -> Error {
    IpamConfig::parse(&with(change)).expect_err(&change.to_string())
}

#[test]
fn one_pod_cidr_is_enough() {
    let expected = IpamConfig {
        network: "blue".to_owned(),
        pod_cidrs: vec!["10.244.0.0/16".parse().unwrap()],
        subnet_lengths: vec![24],
        etcd: None,
        kubernetes: None,
        node_name: None,
        exclude: Vec::new(),
        cool_down: Duration::from_secs(130),
        max_cooling_percent: 25,
        give_back_after: Duration::from_secs(600),
        sweep_after: Duration::from_secs(60),
        forget_after: None,
    };
    assert_eq!(IpamConfig::parse(&with(&json!({}))).unwrap(), expected);
}

#[test]
fn every_key_is_read_and_family_order_is_kept() {
    let ipam = IpamConfig::parse(&with(&json!({
        "podCIDRs": ["fd00:10:244::/56", "10.244.0.0/16"],
        "subnetLengths": [64, 26],
        "etcd": {"endpoints": ["http://127.0.0.1:2379"]},
        "nodeName": "n1",
        "exclude": ["10.244.1.7", "10.244.0.0/25", "10.244.0.128/25", "fd00:10:244::/64"],
        "coolDown": 0,
        "giveBackAfter": 5,
        "sweepAfter": "24h",
        "forgetAfter": "72h",
    })))
    .unwrap();
    let cidrs: Vec<String> = ipam.pod_cidrs.iter().map(IpNet::to_string).collect();
    assert_eq!(cidrs, ["fd00:10:244::/56", "10.244.0.0/16"]);
    assert_eq!(ipam.subnet_lengths, [64, 26]);
    assert_eq!(ipam.etcd.unwrap().endpoints, ["http://127.0.0.1:2379"]);
    assert_eq!(ipam.node_name.as_deref(), Some("n1"));
    let exclude: Vec<String> = ipam.exclude.iter().map(IpNet::to_string).collect();
    assert_eq!(
        exclude,
        ["10.244.0.0/24", "10.244.1.7/32", "fd00:10:244::/64"]
    );
    assert_eq!(ipam.cool_down, Duration::ZERO);
    assert_eq!(ipam.give_back_after, Duration::from_secs(5));
    assert_eq!(ipam.sweep_after, Duration::from_secs(86_400));
    assert_eq!(ipam.forget_after, Some(Duration::from_secs(72 * 3_600)));
}

#[test]
fn null_is_an_empty_list() {
    let without = IpamConfig::parse(&with(&json!({}))).unwrap();
    for key in ["subnetLengths", "exclude"] {
        let with_null = IpamConfig::parse(&with(&json!({key: null})));
        assert_eq!(with_null.as_ref(), Ok(&without), "{key}");
    }
}

#[test]
fn default_subnet_lengths_are_24_and_80() {
    let both = json!({"podCIDRs": ["fd00::/48", "10.0.0.0/8"]});
    assert_eq!(
        IpamConfig::parse(&with(&both)).unwrap().subnet_lengths,
        [80, 24]
    );
}

#[test]
fn pod_cidr_in_reserved_range_is_refused() {
    let cases = [
        (json!("-"), "podCIDRs is missing in ipam"),
        (json!(null), "podCIDRs is missing in ipam"),
        (json!([]), "ipam.podCIDRs is empty"),
        (json!("10.0.0.0/8"), "is not a list"),
        (json!(["10.0.0.0"]), "\"10.0.0.0\" is not a prefix"),
        (json!(["10.0.0.0/33"]), "\"10.0.0.0/33\" is not a prefix"),
        (json!(["10.0.0/8"]), "is not a prefix"),
        (json!([["10.0.0.0/8"]]), "is not a prefix"),
        (json!(["10.244.1.0/16"]), "10.244.1.0/16 has host bits"),
        (json!(["fd00::1/64"]), "fd00::1/64 has host bits"),
        (
            json!(["10.0.0.0/16", "10.1.0.0/16"]),
            "10.0.0.0/16 and 10.1.0.0/16 are of one family",
        ),
        (
            json!(["fd00::/64", "10.0.0.0/16", "fd01::/64"]),
            "fd00::/64 and fd01::/64",
        ),
        (json!(["0.0.0.0/0"]), "overlaps"),
        (json!(["127.1.0.0/16"]), "loopback"),
        (json!(["126.0.0.0/7"]), "loopback"),
        (json!(["169.254.0.0/16"]), "link-local"),
        (json!(["239.0.0.0/8"]), "multicast"),
        (json!(["255.255.255.0/24"]), "broadcast"),
        (json!(["::/0"]), "overlaps"),
        (json!(["::/64"]), "loopback"),
        (json!(["::ffff:10.0.0.0/104"]), "IPv4-mapped"),
        (json!(["fe80::/64"]), "link-local"),
        (json!(["ff00::/12"]), "multicast"),
    ];
    for (pod_cidrs, culprit) in cases {
        let error = refused(&json!({"podCIDRs": pod_cidrs}));
        assert_eq!(error.code, code::INVALID_CONFIG, "{pod_cidrs}");
        assert!(error.msg.contains(culprit), "{pod_cidrs}: {error}");
    }
}

#[test]
fn host_bits_error_suggests_the_prefix() {
    assert_eq!(
        refused(&json!({"podCIDRs": ["10.244.1.0/16"]})).details,
        "write 10.244.0.0/16"
    );
}

#[test]
fn shared_and_class_e_ranges_are_accepted() {
    for pod_cidr in [
        "100.64.0.0/10",
        "240.0.0.0/8",
        "198.18.0.0/15",
        "2001:db8::/32",
    ] {
        assert!(
            IpamConfig::parse(&with(&json!({"podCIDRs": [pod_cidr]}))).is_ok(),
            "{pod_cidr}"
        );
    }
}

#[test]
fn subnet_length_out_of_range_is_refused() {
    let cases = [
        ("10.244.0.0/16", 17, true),
        ("10.244.0.0/16", 30, true),
        ("10.244.0.0/16", 16, false),
        ("10.244.0.0/16", 31, false),
        ("10.244.0.0/16", 0, false),
        ("10.244.0.0/29", 30, true),
        ("fd00::/64", 65, true),
        ("fd00::/64", 126, true),
        ("fd00::/64", 64, false),
        ("fd00::/64", 127, false),
    ];
    for (pod_cidr, length, accepted) in cases {
        let config = with(&json!({"podCIDRs": [pod_cidr], "subnetLengths": [length]}));
        match IpamConfig::parse(&config) {
            Ok(_) => assert!(accepted, "{pod_cidr} {length}"),
            Err(error) => {
                assert!(!accepted, "{error}");
                assert_eq!(error.code, code::INVALID_CONFIG);
                let culprit = format!("ipam.subnetLengths: /{length} does not fit");
                assert!(
                    error.msg.contains(&culprit) && error.msg.contains(pod_cidr),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn default_subnet_length_must_fit_the_pod_cidr() {
    let error = refused(&json!({"podCIDRs": ["10.244.0.0/24"]}));
    assert!(
        error
            .msg
            .contains("/24 does not fit pod CIDR 10.244.0.0/24"),
        "{error}"
    );
    assert_eq!(error.details, "choose from 25 to 30");
}

#[test]
fn pod_cidr_too_small_for_subnets_is_refused() {
    for (pod_cidr, longest) in [
        ("10.0.0.0/30", 29),
        ("10.0.0.1/32", 29),
        ("fd00::/126", 125),
    ] {
        let error = refused(&json!({"podCIDRs": [pod_cidr]}));
        assert!(
            error.msg.contains(&format!("{pod_cidr} is too small")),
            "{error}"
        );
        assert_eq!(error.details, format!("it may be up to /{longest}"));
    }
}

#[test]
fn number_of_lengths_must_match_pod_cidrs() {
    let cases = [
        (json!([]), "has 0 entries, but podCIDRs has 1"),
        (json!([24, 80]), "has 2 entries, but podCIDRs has 1"),
        (json!(24), "ipam.subnetLengths: 24 is not a list"),
        (json!(["24"]), "\"24\" is not a prefix length"),
        (json!([256]), "256 is not a prefix length"),
        (json!([-1]), "-1 is not a prefix length"),
    ];
    for (lengths, culprit) in cases {
        let error = refused(&json!({"subnetLengths": lengths}));
        assert_eq!(error.code, code::INVALID_CONFIG, "{lengths}");
        assert!(error.msg.contains(culprit), "{error}");
    }
}

#[test]
fn other_invalid_values_are_refused_and_named() {
    let cases = [
        (json!({"nodeName": "N1"}), "ipam.nodeName: node name \"N1\""),
        (json!({"nodeName": 1}), "ipam.nodeName: 1 is not a string"),
        (
            json!({"coolDown": -1}),
            "ipam.coolDown: -1 is not a number of seconds from 0 to 86400",
        ),
        (
            json!({"maxCoolingPercent": 101}),
            "ipam.maxCoolingPercent: 101 is not a number from 0 to 100",
        ),
        (
            json!({"maxCoolingPercent": "25%"}),
            "ipam.maxCoolingPercent: \"25%\" is not a number",
        ),
        (json!({"coolDown": 86_401}), "ipam.coolDown: 86401 is not"),
        (
            json!({"coolDown": "2d"}),
            "ipam.coolDown: \"2d\" is not a number of seconds",
        ),
        (
            json!({"forgetAfter": "0s"}),
            "ipam.forgetAfter: \"0s\" is not a time from \"1s\"",
        ),
        (
            json!({"forgetAfter": "367d"}),
            "ipam.forgetAfter: \"367d\" is not",
        ),
        (
            json!({"forgetAfter": "72h"}),
            "ipam.forgetAfter is of no use without etcd",
        ),
        (
            json!({"exclude": ["10.244.0.1/24"]}),
            "ipam.exclude: 10.244.0.1/24 has host bits",
        ),
        (
            json!({"exclude": ["10.244.0.0-10.244.0.9"]}),
            "is not an address or a prefix",
        ),
        (
            json!({"exclude": ["10.245.0.1"]}),
            "ipam.exclude: 10.245.0.1/32 is in no pod CIDR",
        ),
        (
            json!({"exclude": ["10.0.0.0/8"]}),
            "10.0.0.0/8 leaves nothing of pod CIDR 10.244.0.0/16",
        ),
        (
            json!({"exclude": ["10.244.0.0/17", "10.244.128.0/17"]}),
            "ipam.exclude leaves nothing of pod CIDR 10.244.0.0/16",
        ),
        (
            json!({"exclude": "10.244.0.1"}),
            "ipam.exclude: \"10.244.0.1\" is not a list",
        ),
        (json!({"etcd": null}), "ipam.etcd is not a JSON object"),
        (json!({"etcd": {}}), "endpoints is missing in ipam.etcd"),
        (
            json!({"type": "host-local"}),
            "ipam.type is \"host-local\", not \"flatland-ipam\"",
        ),
        (json!({"type": "-"}), "type is missing in ipam"),
    ];
    for (change, culprit) in cases {
        let error = refused(&change);
        assert_eq!(error.code, code::INVALID_CONFIG, "{change}");
        assert!(error.msg.contains(culprit), "{error}");
    }
}

#[test]
fn unknown_key_is_code_2_with_a_suggestion() {
    let error = refused(&json!({"podCidr": ["10.0.0.0/8"]}));
    assert_eq!(error.code, code::UNSUPPORTED_FIELD);
    assert_eq!(error.msg, "unknown key ipam.podCidr: [\"10.0.0.0/8\"]");
    assert_eq!(error.details, "did you mean \"podCIDRs\"?");
    assert!(!refused(&json!({"ranges": []})).details.contains("mean"));
}

#[test]
fn missing_name_or_ipam_section_is_refused() {
    let cases = [
        (json!({"ipam": {}}), "\"name\""),
        (json!({"name": "a/b", "ipam": {}}), "a/b"),
        (
            json!({"name": "blue"}),
            "ipam is missing in the plugin's entry",
        ),
        (
            json!({"name": "blue", "ipam": []}),
            "ipam is not a JSON object",
        ),
    ];
    for (config, culprit) in cases {
        let error = IpamConfig::parse(&config).unwrap_err();
        assert_eq!(error.code, code::INVALID_CONFIG, "{config}");
        assert!(error.msg.contains(culprit), "{error}");
    }
}
