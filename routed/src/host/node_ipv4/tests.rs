use super::*;

fn link(index: u32, addresses: &[&str]) -> NodeLink {
    NodeLink {
        index,
        name: format!("if{index}"),
        up: true,
        running: true,
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        lasting: Vec::new(),
    }
}

fn changes(loopback: &[&str], eth0: &[&str], owned: &[&str]) -> Vec<String> {
    let loopback = [&["127.0.0.1/8", "::1/128"], loopback].concat();
    let links = [link(1, &loopback), link(2, eth0)];
    let owned: Vec<IpNet> = owned.iter().map(|text| text.parse().unwrap()).collect();
    let cidr = "10.244.0.0/16".parse().unwrap();
    let requests = requests(&links, &owned, &[cidr]);
    requests.iter().map(ToString::to_string).collect()
}

#[test]
fn node_without_ipv4_address_takes_one_of_its_subnet() {
    let owned = &["fd00:10:244:0:7::/80", "10.244.7.0/24", "10.244.8.0/24"];
    let add = ["ip address add 10.244.7.1/32 dev if1"];
    let remove = ["ip address del 10.244.7.1/32 dev if1"];
    let none: [&str; 0] = [];
    assert_eq!(changes(&[], &["fd00:1::1/64"], owned), add);
    assert_eq!(
        changes(&[], &["169.254.3.4/16", "fd00:1::1/64"], owned),
        add
    );
    assert_eq!(changes(&["10.244.7.1/32"], &["fd00:1::1/64"], owned), none);
    assert_eq!(changes(&[], &["192.168.1.1/24"], owned), none);
    assert_eq!(
        changes(&["10.244.7.1/32"], &["192.168.1.1/24"], owned),
        remove
    );
    assert_eq!(
        changes(&["10.9.9.9/32"], &["fd00:1::1/64"], &owned[..1]),
        none
    );
    // BGP on the node: its address is on loopback.
    assert_eq!(changes(&["10.9.9.9/32"], &[], owned), none);
}

#[test]
fn address_is_replaced_when_the_subnet_changes() {
    let changes = changes(&["10.244.7.1/32"], &["fd00:1::1/64"], &["10.244.9.0/24"]);
    assert_eq!(
        changes,
        [
            "ip address add 10.244.9.1/32 dev if1",
            "ip address del 10.244.7.1/32 dev if1"
        ]
    );
}
