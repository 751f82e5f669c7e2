use serde_json::json;

use super::*;

#[test]
fn file_behind_a_wrapper_is_what_the_configuration_says() {
    for (name, is_delegate, interface_plugin, ipam, expected) in [
        ("flatland", false, "flatland", "flatland-ipam", false),
        // A wrapper of `flatland`, and one of `flatland-ipam` that `flatland` or another plugin runs.
        ("real", false, "flatland", "flatland-ipam", false),
        ("real", true, "flatland", "flatland-ipam", true),
        ("real", false, "ptp", "flatland-ipam", true),
        // `flatland` under a name of the user's.
        ("blue", false, "blue", "flatland-ipam", false),
        // A ring.
        ("ring", true, "flatland", "ring", false),
        ("flatland", true, "flatland", "flatland", false),
    ] {
        let config = json!({ "type": interface_plugin, "ipam": { "type": ipam } });
        let found = is_meant(name, is_delegate, &config);
        assert_eq!(found, expected, "{name} {is_delegate} {config}");
    }
}
