use wire::cni::Attachment;

use super::*;

fn held(since: u64) -> (IpAddr, Allocation) {
    let allocation = Allocation {
        container_id: "c1".to_owned(),
        interface: "eth0".to_owned(),
        subnet: "10.244.1.0/24".parse().unwrap(),
        since,
        pod_namespace: None,
        pod_name: None,
        pod_uid: None,
        netns: None,
        netns_inode: None,
    };
    ("10.244.1.2".parse().unwrap(), allocation)
}

fn host_end() -> Link {
    let attachment = Attachment::new("c1", "eth0").unwrap();
    Link {
        index: 7,
        name: host_interface_name("flatland", &attachment),
        alias: Some("flatland c1/eth0".to_owned()),
        up: true,
        ..Link::default()
    }
}

#[test]
fn pod_is_live_if_host_interface_is_up_with_its_alias() {
    let there = vec![(held(0).0, 7)];
    let anothers = Link {
        alias: Some("flatland c2/eth0".to_owned()),
        ..host_end()
    };
    let down = Link {
        up: false,
        ..host_end()
    };
    for (case, since, links, expected) in [
        ("it is", 1_000, vec![host_end()], there.clone()),
        ("no host end", 1_000, vec![], vec![]),
        ("it is another's", 1_000, vec![anothers], vec![]),
        ("it is on its way out", 1_000, vec![down], vec![]),
        ("it is on its way in", 1_001, vec![host_end()], vec![]),
        ("a clock that was set back", 2_000, vec![host_end()], there),
    ] {
        let found = attached_pods(
            &[held(since)],
            &links,
            "flatland",
            1_000 + ADD_GRACE_SECONDS,
            |_| false,
        );
        assert_eq!(found, expected, "{case}");
    }
    let is_under_way = |name: &str| name == host_end().name;
    let found = attached_pods(
        &[held(2_000)],
        &[host_end()],
        "flatland",
        1_000,
        is_under_way,
    );
    assert_eq!(found, [], "an ADD is under way");
}
