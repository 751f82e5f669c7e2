use serde_json::json;

use super::*;

#[test]
fn gateway_is_only_for_flatland_before_1_0_0() {
    let addresses = ["10.244.7.3", "fd00:7::3"];
    let subnets = ["10.244.7.0/24", "fd00:7::/80"];
    let choices = addresses.iter().zip(subnets).map(|(address, subnet)| {
        Choice::Requested(subnet.parse().unwrap(), address.parse().unwrap())
    });
    let choices: Vec<_> = choices.collect();
    for version in CniVersion::ALL {
        for plugin in ["flatland", "ptp"] {
            let config = json!({ "cniVersion": version.as_str(), "name": "n", "type": plugin });
            let variable = |name: &str| match name {
                "CNI_COMMAND" => Some("ADD".into()),
                "CNI_CONTAINERID" => Some("a".into()),
                "CNI_NETNS" => Some("/run/netns/a".into()),
                "CNI_IFNAME" => Some("eth0".into()),
                _ => None,
            };
            let environment = Environment::read(variable).unwrap();
            let call = Call::new(environment, config.to_string().into_bytes()).unwrap();
            let ips = choices.iter().map(|choice| ip_config(choice, &call));
            let gateways: Vec<_> = ips.filter_map(|ip| Some(ip.gateway?.to_string())).collect();
            let expected: &[&str] = if version < CniVersion::V1_0_0 && plugin == "flatland" {
                &["169.254.1.1", "fe80::1"]
            } else {
                &[]
            };
            assert_eq!(gateways, expected, "{plugin} {version}");
        }
    }
}
