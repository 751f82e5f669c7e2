//! Results of every version, both ways.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::cni::{Error, Version, code};

/// What a version can say of a result: the rest is lost on the way.
fn as_said_in(version: Version, mut success: Success) -> Success {
    if version < Version::V1_1_0 {
        success
            .interfaces
            .iter_mut()
            .for_each(|interface| interface.mtu = None);
        success
            .routes
            .iter_mut()
            .for_each(|route| route.other.clear());
    }
    success
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
    ]
}

fn networks() -> impl Strategy<Value = IpNetwork> {
    let length = |address: IpAddr| 0..=if address.is_ipv4() { 32u8 } else { 128 };
    addresses()
        .prop_flat_map(move |address| (Just(address), length(address)))
        .prop_map(|(address, length)| IpNetwork::new(address, length).unwrap())
}

fn prefixes() -> impl Strategy<Value = IpNet> {
    networks().prop_map(|network| IpNet::new(network.ip(), network.prefix()).unwrap().trunc())
}

fn interfaces() -> impl Strategy<Value = Interface> {
    let text = || proptest::option::of("[a-z:/]{1,8}");
    let other = proptest::option::of("/[a-z]{1,8}");
    (
        "[a-z0-9]{1,15}",
        text(),
        any::<Option<u32>>(),
        text(),
        other,
    )
        .prop_map(|(name, mac, mtu, sandbox, socket)| Interface {
            name,
            mac,
            mtu,
            sandbox,
            other: socket
                .map(|path| ("socketPath".to_owned(), path.into()))
                .into_iter()
                .collect(),
        })
}

fn ips(interfaces: usize) -> impl Strategy<Value = IpConfig> {
    let interface = proptest::option::of(0..interfaces.max(1));
    (networks(), proptest::option::of(addresses()), interface).prop_map(
        move |(address, gateway, interface)| IpConfig {
            address,
            gateway,
            interface: interface.filter(|_| interfaces > 0),
        },
    )
}

fn routes() -> impl Strategy<Value = Route> {
    let other = proptest::option::of(any::<u32>());
    (prefixes(), proptest::option::of(addresses()), other).prop_map(|(dst, gw, priority)| Route {
        dst,
        gw,
        other: priority
            .map(|value| ("priority".to_owned(), value.into()))
            .into_iter()
            .collect(),
    })
}

fn dns() -> impl Strategy<Value = Dns> {
    let texts = || proptest::collection::vec("[a-z.]{1,6}", 0..3);
    let domain = proptest::option::of("[a-z.]{1,6}");
    (texts(), domain, texts(), texts()).prop_map(|(nameservers, domain, search, options)| Dns {
        nameservers,
        domain,
        search,
        options,
    })
}

fn results() -> impl Strategy<Value = Success> {
    let interfaces = proptest::collection::vec(interfaces(), 0..4);
    interfaces
        .prop_flat_map(|interfaces| {
            let ips = proptest::collection::vec(ips(interfaces.len()), 0..4);
            let routes = proptest::collection::vec(routes(), 0..4);
            (Just(interfaces), ips, routes, dns())
        })
        .prop_map(|(interfaces, ips, routes, dns)| Success {
            interfaces,
            ips,
            routes,
            dns,
        })
}

proptest! {
    #[test]
    fn a_result_reads_back_as_far_as_its_version_can_say_it(success in results()) {
        for version in Version::ALL {
            let json = success.render(version);
            for assumed in Version::ALL {
                let read = Success::parse(&json, assumed).unwrap();
                prop_assert_eq!(read, as_said_in(version, success.clone()));
            }
        }
    }

    #[test]
    fn a_result_goes_through_any_version_without_changing_what_both_can_say(
        success in results()
    ) {
        for version in Version::ALL {
            let through = Success::parse(&success.render(version), version).unwrap();
            for other in Version::ALL.into_iter().filter(|other| *other <= version) {
                prop_assert_eq!(through.render(other), success.render(other));
            }
        }
    }
}

/// Two families, every field that any version has.
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
        routes: vec![Route {
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
fn each_version_is_rendered_as_its_spec_has_it() {
    for version in Version::ALL {
        assert_eq!(example().render(version), rendered(version.as_str()));
    }
}

#[test]
fn what_is_empty_is_left_out() {
    let json = Success::default().render(Version::V1_0_0);
    assert_eq!(json, json!({"cniVersion": "1.0.0"}));
}

#[test]
fn null_and_empty_text_are_as_good_as_absent() {
    let json = json!({
        "cniVersion": "",
        "interfaces": [{"name": "br0", "mac": "", "sandbox": "", "mtu": null}],
        "ips": [{"address": "10.1.0.5/16", "gateway": "", "interface": null}],
        "routes": null,
        "dns": {"nameservers": null, "domain": ""},
    });
    let success = Success::parse(&json, Version::V1_0_0).unwrap();
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
fn results_of_0_3_0_are_those_of_0_3_1() {
    let json = json!({"cniVersion": "0.3.0", "ips": [{"version": "4", "address": "10.1.0.5/16"}]});
    assert_eq!(Success::parse(&json, Version::V1_1_0).unwrap().ips.len(), 1);
}

#[test]
fn a_route_is_kept_without_host_bits_and_with_what_else_was_said_of_it() {
    let json = json!({"routes": [{"dst": "10.1.2.3/16", "table": 7}]});
    let success = Success::parse(&json, Version::V1_1_0).unwrap();
    assert_eq!(success.routes[0].dst.to_string(), "10.1.0.0/16");
    assert_eq!(success.routes[0].other["table"], 7);
}

#[test]
fn a_field_that_1_0_0_abolished_means_nothing_from_then_on() {
    let ip = |version: &str| json!({"cniVersion": version, "ips": [{"address": "10.1.0.5/16", "version": "6"}]});
    for (version, accepted) in [
        ("0.3.1", false),
        ("0.4.0", false),
        ("1.0.0", true),
        ("1.1.0", true),
    ] {
        let read = Success::parse(&ip(version), Version::LATEST);
        assert_eq!(read.is_ok(), accepted, "{version}");
    }
}

#[test]
fn what_is_wrong_with_a_result_is_named() {
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
        let error = Success::parse(&json, Version::V0_4_0).unwrap_err();
        assert_eq!(error.code, code::DECODING, "{json}");
        assert!(error.msg.contains(culprit), "{json}: {error}");
    }
}

#[test]
fn a_result_of_a_version_we_do_not_speak_is_code_1() {
    for version in ["0.2.0", "2.0.0"] {
        let error: Error =
            Success::parse(&json!({"cniVersion": version}), Version::LATEST).unwrap_err();
        assert_eq!(error.code, code::INCOMPATIBLE_VERSION);
        assert!(error.msg.contains(version), "{error}");
    }
}
