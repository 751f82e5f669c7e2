use super::*;

fn held(address: &str, pod: Option<&str>) -> (IpAddr, Allocation) {
    let allocation = Allocation {
        container_id: "c1".to_owned(),
        interface: "eth0".to_owned(),
        subnet: "10.244.3.0/24".parse().unwrap(),
        since: 0,
        pod_namespace: pod.map(|_| "default".to_owned()),
        pod_name: pod.map(ToOwned::to_owned),
        pod_uid: None,
        netns: None,
        netns_inode: None,
    };
    (address.parse().unwrap(), allocation)
}

#[test]
fn pods_with_addresses_of_lost_subnets_are_listed() {
    let owned = ["10.244.1.0/24".parse().unwrap()];
    let own = held("10.244.1.2", None);
    assert_eq!(stranded_message(std::slice::from_ref(&own), &owned), None);
    let all = [
        own,
        held("10.244.3.2", Some("web")),
        held("10.244.3.3", None),
    ];
    let text = stranded_message(&all, &owned).unwrap();
    assert!(
        text.contains("more: 10.244.3.2 (pod default/web), 10.244.3.3 (container c1); peers"),
        "{text}"
    );
}

#[test]
fn many_stranded_pods_are_counted() {
    let all: Vec<_> = (1..=10)
        .map(|n| held(&format!("10.244.3.{n}"), None))
        .collect();
    assert!(stranded_message(&all, &[]).unwrap().contains("and 2 more;"));
}
