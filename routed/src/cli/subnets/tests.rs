use super::*;

fn row(subnet: &str, node: &str, present: Option<bool>) -> SubnetRow {
    SubnetRow {
        subnet: subnet.parse().unwrap(),
        node: NodeName::new(node).unwrap(),
        addresses: vec!["192.168.1.11".parse().unwrap(), "fd00::11".parse().unwrap()],
        present,
    }
}

fn output(is_complete: bool) -> SubnetsOutput {
    let network = Network {
        pod_cidrs: vec![
            "10.244.0.0/16".parse().unwrap(),
            "fd00:10:244::/56".parse().unwrap(),
        ],
        subnet_lengths: vec![24, 80],
    };
    let subnets = vec![
        row("10.244.7.0/24", "n1", Some(true)),
        row("10.244.9.0/24", "n2", Some(false)),
        row("fd00:10:244:7::/80", "n1", is_complete.then_some(true)),
    ];
    SubnetsOutput {
        network: "flatland".to_owned(),
        complete: is_complete,
        pod_cidrs: pod_cidr_usage(&network, &subnets, is_complete),
        subnets,
    }
}

#[test]
fn table_shows_owners_and_what_is_left() {
    let expected = "\
SUBNET              NODE  ADDRESS       PRESENT
10.244.7.0/24       n1    192.168.1.11  yes
10.244.9.0/24       n2    192.168.1.11  no
fd00:10:244:7::/80  n1    fd00::11      yes

POD CIDR           SUBNETS  CLAIMED      FREE  NODES
10.244.0.0/16          256        2       254      2
fd00:10:244::/56  16777216        1  16777215      1";
    assert_eq!(table(&output(true), Terminal::PIPE), expected);
}

#[test]
fn totals_are_unknown_without_the_registry() {
    let text = table(&output(false), Terminal::PIPE);
    assert!(
        text.contains("10.244.0.0/16          256        ?     ?      ?"),
        "{text}"
    );
    let json = serde_json::to_value(output(false)).unwrap();
    assert_eq!(json["complete"], false);
    assert_eq!(json["podCIDRs"][0]["claimed"], serde_json::Value::Null);
}

#[test]
fn totals_of_kubernetes_lack_what_is_not_known() {
    let network = Network {
        pod_cidrs: vec!["10.244.0.0/16".parse().unwrap()],
        subnet_lengths: Vec::new(),
    };
    let subnets = vec![
        row("10.244.7.0/24", "n1", Some(true)),
        row("10.244.9.0/24", "n2", Some(true)),
    ];
    let output = SubnetsOutput {
        network: "flatland".to_owned(),
        complete: true,
        pod_cidrs: pod_cidr_usage(&network, &subnets, true),
        subnets,
    };
    let expected = "\
POD CIDR       CLAIMED  NODES
10.244.0.0/16        2      2";
    let text = table(&output, Terminal::PIPE);
    assert!(text.ends_with(expected), "{text}");
    let json = serde_json::to_value(&output).unwrap();
    assert_eq!(json["podCIDRs"][0]["subnets"], serde_json::Value::Null);
    assert_eq!(json["podCIDRs"][0]["claimed"], 2);
}
