use super::*;

fn holder(address: &str, pod: Option<&str>, owned: bool) -> HeldAddress {
    HeldAddress {
        address: address.parse().unwrap(),
        owned,
        allocation: Allocation {
            container_id: "c1".to_owned(),
            interface: "eth0".to_owned(),
            subnet: "10.244.7.0/24".parse().unwrap(),
            since: 1_000,
            pod_namespace: pod.map(|_| "default".to_owned()),
            pod_name: pod.map(ToOwned::to_owned),
            pod_uid: pod.map(|pod| format!("uid-of-{pod}")),
            netns: None,
            netns_inode: None,
        },
    }
}

fn output() -> AddressesOutput {
    let row = |subnet: &str, used, cooling, free| SubnetAddresses {
        subnet: subnet.parse().unwrap(),
        addresses: AddressUsage {
            used,
            cooling,
            free,
        },
    };
    let subnets = vec![
        row("10.244.7.0/24", 3, 1, 249),
        row("10.244.9.0/24", 0, 2, 251),
        row("fd00:10:244:7::/80", 3, 0, 281_474_976_710_651),
    ];
    AddressesOutput {
        network: "flatland".to_owned(),
        node: None,
        total: totals(&subnets),
        subnets,
        addresses: vec![
            holder("10.244.7.2", Some("web"), true),
            holder("10.244.3.2", None, false),
        ],
    }
}

#[test]
fn table_shows_counts_and_holders() {
    let expected = "\
SUBNET              USED  COOLING             FREE
10.244.7.0/24          3        1              249
10.244.9.0/24          0        2              251
fd00:10:244:7::/80     3        0  281474976710651
IPv4 in total          3        3              500
IPv6 in total          3        0  281474976710651

ADDRESS     HOLDER       INTERFACE    AGE
10.244.7.2  default/web  eth0       1h40m
10.244.3.2  c1           eth0       1h40m  not of this node's subnets";
    assert_eq!(table(&output(), 7_000, Terminal::PIPE), expected);
}

#[test]
fn json_has_counts_and_holders() {
    let json = serde_json::to_value(output()).unwrap();
    assert_eq!(json["subnets"][0]["cooling"], 1);
    assert_eq!(json["total"]["ipv4"]["free"], 500);
    assert_eq!(json["addresses"][0]["podName"], "web");
    assert_eq!(json["addresses"][0]["podUid"], "uid-of-web");
    assert_eq!(json["addresses"][1]["owned"], false);
}
