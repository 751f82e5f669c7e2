use serde_json::json;
use wire::cni::CniVersion;

use super::*;

#[test]
fn address_that_a_later_plugin_added_is_not_ours() {
    let attachment = Attachment::new("c1", "eth0").unwrap();
    let host = pod_link::host_interface_name("flatland", &attachment);
    let interfaces = json!([
        { "name": host }, { "name": "eth0", "sandbox": "/run/netns/a" },
        { "name": "net1", "sandbox": "/run/netns/a" },
    ]);
    let ours = json!({ "address": "10.244.7.3/32", "gateway": "169.254.1.1", "interface": 1 });
    let old = json!({ "address": "10.9.0.5/24", "gateway": "10.9.0.1", "interface": 1 });
    let added = json!({ "address": "10.8.0.5/24", "interface": 1 });
    let other = json!({ "address": "10.7.0.5/24", "gateway": "10.7.0.1", "interface": 2 });
    for (ips, expected) in [
        (json!([ours, added, other]), ["10.244.7.3/32"]),
        // Before 1.0.0, with the gateway of the IPAM plugin.
        (json!([old, other]), ["10.9.0.5/24"]),
    ] {
        let result = json!({ "interfaces": interfaces, "ips": ips });
        let result = Success::parse(&result, CniVersion::LATEST).unwrap();
        let own = own_part("flatland", &attachment, result);
        let own: Vec<String> = own.ips.iter().map(|ip| ip.address.to_string()).collect();
        assert_eq!(own, expected);
    }
}
