use super::*;

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn address_of_two_nodes_is_shared_until_one_gives_it_up() {
    let [a, b] = ["n1", "n2"].map(|name| NodeName::new(name).unwrap());
    let mut all = Advertisers::default();
    let vip: IpAddr = "192.168.1.100".parse().unwrap();
    let (own, with_vip) = (
        ips(&["192.168.1.1"]),
        ips(&["192.168.1.1", "192.168.1.100"]),
    );
    assert!(all.change(&a, &[], &with_vip).is_empty());
    assert!(!all.is_shared(vip) && all.shared().next().is_none());

    // The other node is concerned, too.
    let other = ips(&["192.168.1.2", "192.168.1.100"]);
    assert_eq!(all.change(&b, &[], &other), BTreeSet::from([a.clone()]));
    assert!(all.is_shared(vip));
    let text = all.shared().next().unwrap();
    assert!(
        text.starts_with("n1 and n2 advertise the same address 192.168.1.100"),
        "{text}"
    );

    assert_eq!(all.change(&a, &with_vip, &own), BTreeSet::from([b.clone()]));
    assert!(!all.is_shared(vip));
    assert_eq!(all.of(vip).collect::<Vec<_>>(), [&b]);
    assert!(all.any_in("192.168.1.0/24".parse().unwrap()));
    assert!(all.any_in("192.168.1.100/32".parse().unwrap()));
    assert!(!all.any_in("192.168.2.0/24".parse().unwrap()));
    assert!(!all.any_in("fd00::/64".parse().unwrap()));
}
