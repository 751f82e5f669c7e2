use serde_json::json;

use super::*;

#[test]
fn result_schema_is_checked_by_its_own_version() {
    let with = |list: &str, item: Value| json!({ list: [item] });
    let versioned = with("ips", json!({ "address": "10.1.0.2/24", "version": "4" }));
    let plain = with(
        "ips",
        json!({ "address": "fd00::2/64", "gateway": "fd00::1" }),
    );
    for (result, version, expected) in [
        (versioned.clone(), Spec::V0_4_0, ""),
        (versioned, Spec::V1_0_0, "removed"),
        (plain.clone(), Spec::V1_0_0, ""),
        (plain, Spec::V0_3_0, "its version of IP"),
        (
            with("ips", json!({ "address": "10.1.0.2" })),
            Spec::V1_0_0,
            "CIDR",
        ),
        (
            with("ips", json!({ "address": "10.1.0.2/33" })),
            Spec::V1_0_0,
            "CIDR",
        ),
        (
            with("ips", json!({ "address": "10.1.0.2/8", "gateway": "::1" })),
            Spec::V1_0_0,
            "family",
        ),
        (
            with("interfaces", json!({ "mac": "02:00:00:00:00:01" })),
            Spec::V1_0_0,
            "no name",
        ),
        (
            with("interfaces", json!({ "name": "a", "mtu": "1500" })),
            Spec::V1_1_0,
            "mtu",
        ),
        (
            with("routes", json!({ "dst": "default" })),
            Spec::V1_0_0,
            "CIDR",
        ),
        (
            with("routes", json!({ "dst": "::/0", "gw": "fe80::1" })),
            Spec::V1_0_0,
            "",
        ),
        (
            with("routes", json!({ "dst": "::/0", "mtu": "x" })),
            Spec::V1_1_0,
            "no number",
        ),
        (json!({ "ips": {} }), Spec::V1_0_0, "no list"),
        (json!({ "dns": { "search": "a" } }), Spec::V1_0_0, "dns"),
    ] {
        let found = faults(&result, version).join("; ");
        assert_eq!(found.is_empty(), expected.is_empty(), "{result}: {found}");
        assert!(found.contains(expected), "{result}: {found}");
    }
}
