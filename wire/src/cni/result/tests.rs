//! Valid results of each spec version, and errors of invalid ones.

use serde_json::json;

use super::*;
use crate::cni::{CniVersion, Error, code};

/// A dual-stack result with all fields of all versions.
fn example() -> Success {
    let attribute = |key: &str, value: Value| [(key.to_owned(), value)].into_iter().collect();
    Success {
        interfaces: vec![
            Interface {
                name: "flat01".into(),
                ..Interface::default()
            },
            Interface {
                name: "eth0".into(),
                mac: Some("02:00:00:00:00:01".into()),
                mtu: Some(1500),
                sandbox: Some("/run/netns/c1".into()),
                other: attribute("pciID", "0000:00:1f.6".into()),
            },
        ],
        ips: vec![
            IpConfig {
                address: "10.244.1.7/32".parse().unwrap(),
                gateway: Some("169.254.1.1".parse().unwrap()),
                interface: Some(1),
            },
            IpConfig {
                address: "fd00:10:244:1::7/128".parse().unwrap(),
                gateway: None,
                interface: None,
            },
        ],
        routes: vec![CniRoute {
            dst: "0.0.0.0/0".parse().unwrap(),
            gw: Some("169.254.1.1".parse().unwrap()),
            other: attribute("mtu", 1400.into()),
        }],
        dns: Dns {
            nameservers: vec!["10.96.0.10".into()],
            domain: Some("cluster.local".into()),
            search: vec!["svc.cluster.local".into()],
            options: vec!["ndots:5".into()],
        },
    }
}

fn rendered(version: &str) -> Value {
    let is_old = version < "1.0.0";
    let mut json = json!({
        "cniVersion": version,
        "interfaces": [
            {"name": "flat01"},
            {
                "name": "eth0",
                "mac": "02:00:00:00:00:01",
                "sandbox": "/run/netns/c1",
                "pciID": "0000:00:1f.6",
            },
        ],
        "ips": [
            {"address": "10.244.1.7/32", "gateway": "169.254.1.1", "interface": 1},
            {"address": "fd00:10:244:1::7/128"},
        ],
        "routes": [{"dst": "0.0.0.0/0", "gw": "169.254.1.1"}],
        "dns": {
            "nameservers": ["10.96.0.10"],
            "domain": "cluster.local",
            "search": ["svc.cluster.local"],
            "options": ["ndots:5"],
        },
    });
    if is_old {
        json["ips"][0]["version"] = "4".into();
        json["ips"][1]["version"] = "6".into();
    }
    if version == "1.1.0" {
        json["interfaces"][1]["mtu"] = 1500.into();
        json["routes"][0]["mtu"] = 1400.into();
    }
    json
}

#[test]
fn result_is_rendered_as_each_spec_version_requires() {
    for version in CniVersion::ALL {
        assert_eq!(example().render(version), rendered(version.as_str()));
    }
}

#[test]
fn empty_fields_are_left_out() {
    let json = Success::default().render(CniVersion::V1_0_0);
    assert_eq!(json, json!({"cniVersion": "1.0.0"}));
}

#[test]
fn null_and_empty_text_count_as_absent() {
    let json = json!({
        "cniVersion": "",
        "interfaces": [{"name": "br0", "mac": "", "sandbox": "", "mtu": null}],
        "ips": [{"address": "10.1.0.5/16", "gateway": "", "interface": null}],
        "routes": null,
        "dns": {"nameservers": null, "domain": ""},
    });
    let success = Success::parse(&json, CniVersion::V1_0_0).unwrap();
    let interface = Interface {
        name: "br0".into(),
        ..Interface::default()
    };
    assert_eq!(success.interfaces, [interface]);
    assert_eq!(
        (success.ips[0].gateway, success.ips[0].interface),
        (None, None)
    );
    assert_eq!((success.routes, success.dns), (Vec::new(), Dns::default()));
}

#[test]
fn result_of_0_3_0_is_parsed_as_0_3_1() {
    let json = json!({"cniVersion": "0.3.0", "ips": [{"version": "4", "address": "10.1.0.5/16"}]});
    assert_eq!(
        Success::parse(&json, CniVersion::V1_1_0).unwrap().ips.len(),
        1
    );
}

#[test]
fn route_loses_host_bits_and_keeps_other_fields() {
    let json = json!({"routes": [{"dst": "10.1.2.3/16", "table": 7}]});
    let success = Success::parse(&json, CniVersion::V1_1_0).unwrap();
    assert_eq!(success.routes[0].dst.to_string(), "10.1.0.0/16");
    assert_eq!(success.routes[0].other["table"], 7);
}

#[test]
fn ip_version_field_is_ignored_from_1_0_0_on() {
    let ip = |version: &str| json!({"cniVersion": version, "ips": [{"address": "10.1.0.5/16", "version": "6"}]});
    for (version, accepted) in [
        ("0.3.1", false),
        ("0.4.0", false),
        ("1.0.0", true),
        ("1.1.0", true),
    ] {
        let read = Success::parse(&ip(version), CniVersion::LATEST);
        assert_eq!(read.is_ok(), accepted, "{version}");
    }
}

#[test]
fn invalid_result_error_names_the_place() {
    let cases = [
        (json!([]), "not a JSON object"),
        (json!({"cniVersion": 1}), "cniVersion 1 is not a string"),
        (json!({"ips": {}}), "ips {} is not a list"),
        (
            json!({"ips": ["10.0.0.1/8"]}),
            "ips[0] is not a JSON object",
        ),
        (json!({"ips": [{}]}), "ips[0].address is missing"),
        (
            json!({"ips": [{"address": "10.1.2.3"}]}),
            "ips[0].address \"10.1.2.3\"",
        ),
        (
            json!({"ips": [{"address": "10.1.2.3/33"}]}),
            "ips[0].address",
        ),
        (
            json!({"ips": [{"address": "10.1.2.3/255.0.0.0"}]}),
            "ips[0].address",
        ),
        (
            json!({"ips": [{"address": "10.1.2.3/8", "gateway": "x"}]}),
            "ips[0].gateway \"x\"",
        ),
        (
            json!({"ips": [{"address": "10.1.2.3/8", "interface": -1}]}),
            "ips[0].interface -1",
        ),
        (
            json!({"ips": [{"address": "10.1.2.3/8", "interface": 0}]}),
            "there are 0 interfaces",
        ),
        (
            json!({"ips": [{"address": "10.1.2.3/8", "version": "6"}]}),
            "ips[0].version \"6\"",
        ),
        (json!({"interfaces": [{}]}), "interfaces[0].name is missing"),
        (
            json!({"interfaces": [{"name": "a"}, {"name": "b", "mtu": "1"}]}),
            "interfaces[1].mtu",
        ),
        (
            json!({"routes": [{"dst": "default"}]}),
            "routes[0].dst \"default\"",
        ),
        (
            json!({"routes": [{"dst": "::/0", "gw": 1}]}),
            "routes[0].gw 1",
        ),
        (
            json!({"dns": {"search": "x"}}),
            "dns.search \"x\" is not a list of strings",
        ),
    ];
    for (json, culprit) in cases {
        let error = Success::parse(&json, CniVersion::V0_4_0).unwrap_err();
        assert_eq!(error.code, code::DECODING, "{json}");
        assert!(error.msg.contains(culprit), "{json}: {error}");
    }
}

#[test]
fn result_of_unsupported_version_is_code_1() {
    for version in ["0.2.0", "2.0.0"] {
        let error: Error =
            Success::parse(&json!({"cniVersion": version}), CniVersion::LATEST).unwrap_err();
        assert_eq!(error.code, code::INCOMPATIBLE_VERSION);
        assert!(error.msg.contains(version), "{error}");
    }
}
