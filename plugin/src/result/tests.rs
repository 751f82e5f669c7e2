use serde_json::json;

use super::*;

fn result(interface: &str, address: &str, dns: &[&str]) -> Success {
    let text = json!({
        "cniVersion": "1.1.0",
        "interfaces": [{ "name": "host" }, { "name": interface, "sandbox": "/run/netns/a" }],
        "ips": [{ "address": address, "gateway": "169.254.1.1", "interface": 1 }],
        "routes": [{ "dst": "0.0.0.0/0" }],
        "dns": { "nameservers": dns },
    });
    Success::parse(&text, CniVersion::V1_1_0).unwrap()
}

#[test]
fn result_of_earlier_plugins_comes_first_unchanged() {
    let earlier = result("net1", "10.7.0.2/24", &["10.7.0.1"]);
    let ours = result("eth0", "10.244.7.3/32", &["10.244.0.1"]);
    let all = append_to(Some(earlier.clone()), ours.clone());
    assert_eq!(all.interfaces[..2], earlier.interfaces);
    assert_eq!(all.interfaces[2..], ours.interfaces);
    assert_eq!(all.ips[0], earlier.ips[0]);
    assert_eq!(
        (all.ips[1].address, all.ips[1].interface),
        (ours.ips[0].address, Some(3))
    );
    assert_eq!(all.routes.len(), 2);
    assert_eq!(all.dns, earlier.dns);
}

#[test]
fn our_dns_counts_without_that_of_an_earlier_plugin() {
    let ours = result("eth0", "10.244.7.3/32", &["10.244.0.1"]);
    assert_eq!(append_to(None, ours.clone()), ours);
    let earlier = result("net1", "10.7.0.2/24", &[]);
    assert_eq!(append_to(Some(earlier), ours.clone()).dns, ours.dns);
}

#[test]
fn result_ips_are_those_of_ipam_before_1_0_0() {
    let made = result("eth0", "10.244.7.3/32", &[]);
    for (gateway, interface) in [(Some("10.244.7.1"), None), (None, Some(7))] {
        let given = Success {
            ips: vec![IpConfig {
                address: "10.244.7.3/24".parse().unwrap(),
                gateway: gateway.map(|gateway| gateway.parse().unwrap()),
                interface,
            }],
            ..Success::default()
        };
        for version in CniVersion::ALL {
            let ips = chain_result(version, None, made.clone(), &given).ips;
            if version >= CniVersion::V1_0_0 {
                assert_eq!(ips, made.ips, "{version}");
            } else {
                let expected = IpConfig {
                    interface: Some(1),
                    ..given.ips[0].clone()
                };
                assert_eq!(ips, [expected], "{version}");
            }
        }
    }
}
