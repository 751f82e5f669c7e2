//! The result of ADD: that of the previous plugins of the chain, with our interfaces, addresses and
//! routes added.

use wire::cni::{Dns, IpConfig, Success, Version};
use wire::conf::PluginConfig;

/// The result of the chain so far (SPEC.md, section 5, "ADD Success"). `given` is the result of the
/// IPAM plugin, `made` what we created from it.
pub(crate) fn chain_result(
    version: Version,
    previous: Option<Success>,
    made: Success,
    given: &Success,
) -> Success {
    let ours = Success {
        ips: ips(version, made.ips, &given.ips),
        ..made
    };
    append_to(previous, ours)
}

/// The DNS settings in the result: those of the IPAM plugin if it has any, else those of the
/// configuration.
pub(crate) fn dns(config: &PluginConfig, given: &Success) -> Dns {
    if given.dns == Dns::default() {
        config.dns.clone()
    } else {
        given.dns.clone()
    }
}

/// `ips` of the result. Before 1.0.0 they are those of the IPAM plugin, with its masks and
/// gateways, and with the interface filled in (SPEC.md 0.4.0, "Result"). From 1.0.0 on they are the
/// assigned addresses, with host masks: later plugins treat the whole mask as the pod, as `portmap`
/// does when it masquerades what a pod sends to itself.
fn ips(version: Version, made: Vec<IpConfig>, given: &[IpConfig]) -> Vec<IpConfig> {
    if version >= Version::V1_0_0 {
        return made;
    }
    let both = made.into_iter().zip(given.iter().cloned());
    both.map(|(made, given)| IpConfig {
        interface: made.interface,
        ..given
    })
    .collect()
}

fn append_to(previous: Option<Success>, ours: Success) -> Success {
    let Some(mut all) = previous else {
        return ours;
    };
    let first = all.interfaces.len();
    all.interfaces.extend(ours.interfaces);
    all.ips.extend(ours.ips.into_iter().map(|ip| IpConfig {
        interface: ip.interface.map(|index| first + index),
        ..ip
    }));
    all.routes.extend(ours.routes);
    if all.dns == Dns::default() {
        all.dns = ours.dns;
    }
    all
}

#[cfg(test)]
mod tests {
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
        Success::parse(&text, Version::V1_1_0).unwrap()
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
            for version in Version::ALL {
                let ips = chain_result(version, None, made.clone(), &given).ips;
                if version >= Version::V1_0_0 {
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
}
