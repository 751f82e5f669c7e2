//! Valid and invalid `flatland` entries.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::cni::code;

/// A valid configuration with `change` merged into it; `"-"` removes a key.
fn with(change: &Value) -> Value {
    let mut json = json!({
        "cniVersion": "1.1.0",
        "name": "blue",
        "type": "flatland",
        "ipam": {"type": "flatland-ipam", "podCIDRs": ["10.244.0.0/16", "fd00::/56"]},
    });
    for (key, value) in change.as_object().unwrap() {
        json[key] = value.clone();
    }
    json.as_object_mut()
        .unwrap()
        .retain(|_, value| *value != "-");
    json
}

#[test]
fn ipam_type_is_read_from_an_invalid_entry() {
    let entry = json!({ "type": "flatland", "mtu": "big", "typo": 1, "ipam": { "type": "x" } });
    assert!(PluginConfig::parse(&entry).is_err());
    assert_eq!(ipam_of(&entry).unwrap(), "x");
    assert!(ipam_of(&json!({ "type": "flatland" })).is_err());
}

#[test]
fn everything_but_the_ipam_type_has_a_default() {
    let expected = PluginConfig {
        ip_masq: false,
        non_masquerade_cidrs: Vec::new(),
        mtu: 0,
        node_addresses: Vec::new(),
        cross_subnet: CrossSubnet::Report,
        policy: None,
        ipam_type: "flatland-ipam".to_owned(),
        dns: Dns::default(),
        sysctl: Vec::new(),
    };
    assert_eq!(PluginConfig::parse(&with(&json!({}))).unwrap(), expected);
}

#[test]
fn every_key_is_read() {
    let plugin = PluginConfig::parse(&with(&json!({
        "ipMasq": true,
        "nonMasqueradeCIDRs": ["192.168.0.0/16", "fd99::/16"],
        "mtu": 1450,
        "nodeAddresses": ["192.168.1.20", "fd99::20"],
        "crossSubnet": "gateway",
        "policy": {"failOpenAfter": "30s"},
        "ipam": {"type": "host-local", "ranges": []},
        "dns": {"nameservers": ["10.96.0.10"]},
        "sysctl": {"net.ipv4.conf.IFNAME.arp_ignore": "1", "net/ipv6/neigh/IFNAME/mcast_solicit": "2"},
    })))
    .unwrap();
    assert!(plugin.ip_masq);
    assert_eq!(plugin.mtu, 1450);
    assert_eq!(plugin.cross_subnet, CrossSubnet::Gateway);
    let fail_open_after = plugin.policy.and_then(|policy| policy.fail_open_after);
    assert_eq!(fail_open_after, Some(Duration::from_secs(30)));
    assert_eq!(plugin.ipam_type, "host-local");
    assert_eq!(plugin.dns.nameservers, ["10.96.0.10"]);
    let cidrs = ["192.168.0.0/16", "fd99::/16"].map(|text| text.parse::<IpNet>().unwrap());
    assert_eq!(plugin.non_masquerade_cidrs, cidrs);
    let addresses = ["192.168.1.20", "fd99::20"].map(|text| text.parse::<IpAddr>().unwrap());
    assert_eq!(plugin.node_addresses, addresses);
    let settings = [
        ("net/ipv4/conf/IFNAME/arp_ignore", "1"),
        ("net/ipv6/neigh/IFNAME/mcast_solicit", "2"),
    ];
    let settings = settings.map(|(path, value)| (path.to_owned(), value.to_owned()));
    assert_eq!(plugin.sysctl, settings);
}

#[test]
fn cross_subnet_is_report_or_gateway() {
    for wrong in [json!("router"), json!(""), json!(true), json!("Gateway")] {
        let error = PluginConfig::parse(&with(&json!({"crossSubnet": wrong}))).unwrap_err();
        assert_eq!(error.code, code::INVALID_CONFIG, "{wrong}");
        let expected = r#"is not "report" or "gateway""#;
        assert!(error.msg.contains(expected), "{error}");
    }
}

#[test]
fn sysctl_outside_the_pod_interface_is_refused() {
    for (name, value) in [
        ("net.ipv4.ip_forward", json!("1")),
        ("net.ipv4.conf.all.rp_filter", json!("1")),
        ("net.ipv4.conf.eth0.rp_filter", json!("1")),
        ("kernel.conf.conf.IFNAME.x", json!("1")),
        ("net.ipv4.conf.IFNAME.", json!("1")),
        ("net/ipv4/conf/IFNAME/../all/rp_filter", json!("1")),
        ("net.ipv4.conf.IFNAME.arp_ignore", json!(1)),
        ("net.ipv4.conf.IFNAME.arp_ignore", json!("")),
    ] {
        let error = PluginConfig::parse(&with(&json!({"sysctl": {name: value}}))).unwrap_err();
        assert_eq!(error.code, code::INVALID_CONFIG, "{name}");
        assert!(error.msg.starts_with("sysctl: "), "{error}");
    }
}

/// Keys that other programs add to the entry of a plugin, and where they do so.
fn injected_keys() -> [(&'static str, Value, &'static str); 16] {
    let library = "containernetworking/cni libcni/api.go: buildOneConfig";
    let list = "SPEC.md, section 1: keys of the list, which tools copy when they make it one entry";
    let collect = "containernetworking/cni libcni/api.go: GCNetworkList";
    let multus = "multus-cni pkg/types/conf.go: delegateAddDeviceID, addDeviceIDInConfList";
    [
        ("name", json!("blue"), library),
        ("cniVersion", json!("1.0.0"), library),
        ("prevResult", json!({}), library),
        (
            "runtimeConfig",
            json!({"mac": "02:00:00:00:00:01"}),
            library,
        ),
        ("capabilities", json!({"mac": true}), "SPEC.md, section 1"),
        (
            "args",
            json!({"cni": {"ips": ["10.1.1.1"]}}),
            "CONVENTIONS.md; multus-cni pkg/types/conf.go: addCNIArgsInConfig",
        ),
        ("cni.dev/valid-attachments", json!([]), collect),
        ("cni.dev/attachments", json!([]), collect),
        (
            "cni.dev/whatever-comes",
            json!(1),
            "SPEC.md, section 1: a reserved prefix",
        ),
        ("cniVersions", json!(["1.0.0"]), list),
        ("disableCheck", json!(true), list),
        ("disableGC", json!(true), list),
        ("loadOnlyInlinedPlugins", json!(false), list),
        ("deviceID", json!("0000:03:02.1"), multus),
        ("pciBusID", json!("0000:03:02.1"), multus),
        (
            "resourceName",
            json!("example.com/nic"),
            "multus-cni pkg/types/types.go: DelegateNetConf",
        ),
    ]
}

#[test]
fn keys_that_other_programs_add_are_accepted() {
    for (key, value, source) in injected_keys() {
        for value in [value, Value::Null] {
            let config = with(&json!({key: value}));
            let parsed = PluginConfig::parse(&config);
            assert!(parsed.is_ok(), "{key}, of {source}: {parsed:?}");
        }
    }
}

#[test]
fn null_is_an_empty_list_or_object() {
    let without = PluginConfig::parse(&with(&json!({}))).unwrap();
    for key in ["nonMasqueradeCIDRs", "nodeAddresses", "dns", "sysctl"] {
        let with_null = PluginConfig::parse(&with(&json!({key: null})));
        assert_eq!(with_null.as_ref(), Ok(&without), "{key}");
    }
    let lists = json!({"nameservers": null, "domain": null, "search": null, "options": null});
    let parsed = PluginConfig::parse(&with(&json!({"dns": lists})));
    assert_eq!(parsed.as_ref(), Ok(&without));
}

#[test]
fn unknown_key_is_code_2_with_a_suggestion() {
    for (key, advice) in [
        ("ipMasqs", "did you mean \"ipMasq\"?"),
        ("MTU", "did you mean \"mtu\"?"),
        ("nonMasqueradeCidr", "did you mean \"nonMasqueradeCIDRs\"?"),
        ("bridge", "remove it"),
    ] {
        let error = PluginConfig::parse(&with(&json!({key: 7}))).unwrap_err();
        assert_eq!(error.code, code::UNSUPPORTED_FIELD);
        assert_eq!(error.msg, format!("unknown key {key}: 7"));
        assert!(error.details.starts_with(advice), "{error}");
    }
}

#[test]
fn mtu_below_the_minimum_of_a_family_is_refused() {
    let only_v4 = json!({"type": "flatland-ipam", "podCIDRs": ["10.244.0.0/16"]});
    let other = json!({"type": "host-local"});
    let both = with(&json!({}))["ipam"].clone();
    let cases = [
        (&both, json!(0), true),
        (&both, json!(1280), true),
        (&both, json!(65535), true),
        (&both, json!(1279), false),
        (&both, json!(65536), false),
        (&only_v4, json!(576), true),
        (&only_v4, json!(575), false),
        (&only_v4, json!(1), false),
        (&only_v4, json!(-1), false),
        (&only_v4, json!(1500.5), false),
        (&only_v4, json!("1500"), false),
        (&only_v4, json!(null), false),
        (&other, json!(600), true),
    ];
    for (ipam, mtu, accepted) in cases {
        match PluginConfig::parse(&with(&json!({"ipam": ipam, "mtu": mtu}))) {
            Ok(plugin) => {
                assert!(accepted, "{mtu}");
                assert_eq!(plugin.mtu, mtu);
            }
            Err(error) => {
                assert!(!accepted, "{error}");
                assert_eq!(error.code, code::INVALID_CONFIG);
                assert!(error.msg.starts_with(&format!("mtu: {mtu}")), "{error}");
            }
        }
    }
}

#[test]
fn invalid_values_are_refused_and_named() {
    let cases = [
        (
            json!({"ipMasq": "yes"}),
            "ipMasq: \"yes\" is not true or false",
        ),
        (
            json!({"nonMasqueradeCIDRs": ["10.1.0.0/8"]}),
            "nonMasqueradeCIDRs: 10.1.0.0/8",
        ),
        (json!({"nonMasqueradeCIDRs": "10.0.0.0/8"}), "is not a list"),
        (json!({"nodeAddresses": ["n1"]}), "nodeAddresses: \"n1\""),
        (
            json!({"nodeAddresses": ["127.0.0.1"]}),
            "nodeAddresses: \"127.0.0.1\"",
        ),
        (json!({"nodeAddresses": ["::"]}), "nodeAddresses: \"::\""),
        (
            json!({"nodeAddresses": ["224.0.0.1"]}),
            "nodeAddresses: \"224.0.0.1\"",
        ),
        (
            json!({"nodeAddresses": ["255.255.255.255"]}),
            "nodeAddresses",
        ),
        (json!({"dns": 7}), "dns is not a JSON object"),
        (json!({"ipMasq": null}), "ipMasq: null is not true or false"),
        (json!({"sysctl": []}), "sysctl: [] is not an object"),
        (json!({"ipam": null}), "ipam is not a JSON object"),
        (json!({"dns": {"search": "x"}}), "dns.search \"x\""),
        (
            json!({"ipam": "-"}),
            "ipam is missing in the plugin's entry",
        ),
        (json!({"ipam": "host-local"}), "ipam is not a JSON object"),
        (json!({"ipam": {}}), "type is missing in ipam"),
        (json!({"ipam": {"type": ""}}), "ipam.type: \"\""),
        (
            json!({"ipam": {"type": "flatland"}}),
            "ipam.type: \"flatland\"",
        ),
        (
            json!({"ipam": {"type": "/bin/sh"}}),
            "ipam.type: \"/bin/sh\"",
        ),
    ];
    for (change, culprit) in cases {
        let error = PluginConfig::parse(&with(&change)).expect_err(culprit);
        assert!(
            matches!(error.code, code::INVALID_CONFIG | code::DECODING),
            "{error}"
        );
        assert!(error.msg.contains(culprit), "{change}: {error}");
    }
    assert!(PluginConfig::parse(&json!("text")).is_err());
}
