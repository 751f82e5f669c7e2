use super::*;

#[test]
fn every_kind_of_packet_is_asked_about() {
    let queries = for_node(&facts());
    let packets: Vec<_> = queries.iter().map(|it| it.packet.to_string()).collect();
    assert_eq!(
        packets,
        [
            "10.244.2.254 from 10.244.1.2 iif if7",
            "10.244.1.2 from 10.244.2.254 iif if2",
            "10.244.1.2",
            "10.244.2.254",
            // The subnet's own route, for addresses that no pod has.
            "10.244.1.254 from 10.244.2.254 iif if2",
            "10.244.2.254 from 10.244.1.254 iif if1",
            "10.244.1.254",
            // From outside.
            "10.244.1.2 from 192.168.1.1 iif if2",
        ]
    );
}

#[test]
fn lo_stands_in_for_a_pod_where_there_is_none() {
    let mut facts = facts();
    facts.tables.get_mut(&MAIN).unwrap().remove(0);
    let mut facts = facts.index();
    let queries = for_node(&facts);
    let packets: Vec<_> = queries.iter().map(|it| it.packet.to_string()).collect();
    assert!(packets.contains(&"10.244.2.254 from 10.244.1.254 iif if1".to_owned()));
    // A drop for its source, or by its settings, says nothing about pods.
    for errno in [Errno::EXDEV, Errno::EINVAL, Errno::EHOSTUNREACH] {
        assert_eq!(fault(&queries[0], &dropped(errno), &facts), None);
    }
    facts.tables.clear();
    let facts = facts.index();
    assert!(for_node(&facts).is_empty());
}

#[test]
fn single_node_is_asked_about_its_pods_and_its_uplink() {
    let mut facts = facts();
    facts.tables.get_mut(&MAIN).unwrap().remove(2);
    let facts = facts.index();
    let queries = for_node(&facts);
    let packets: Vec<_> = queries.iter().map(|it| it.packet.to_string()).collect();
    for packet in [
        "10.244.1.254 from 10.244.1.2 iif if7",
        "10.244.1.2 from 192.168.1.1 iif if2",
    ] {
        assert!(packets.contains(&packet.to_owned()), "{packets:?}");
    }
}

#[test]
fn many_peers_are_bounded_and_those_of_rules_come_first() {
    let mut facts = facts();
    for third in 3..=255 {
        let subnet = format!("10.244.{third}.0/24");
        let main = facts.tables.get_mut(&MAIN).unwrap();
        main.push(route(&subnet, Some("192.168.1.13"), ETH0));
    }
    let mut facts = facts.index();
    let blackhole = PolicyRule {
        to: net("10.244.200.0/24"),
        ..rule(100, PolicyAction::Blackhole)
    };
    add_rule(&mut facts, blackhole);
    let queries = for_node(&facts);
    assert_eq!(queries[0].packet.dst, addr("10.244.200.254"));
    // A single address that a rule names is asked about, too.
    let prohibit = PolicyRule {
        to: net("10.244.99.7/32"),
        ..rule(100, PolicyAction::Prohibit)
    };
    add_rule(&mut facts, prohibit);
    let dsts: Vec<_> = for_node(&facts).iter().map(|it| it.packet.dst).collect();
    assert!(dsts.contains(&addr("10.244.99.7")), "{dsts:?}");
    assert!(queries.len() <= 3 * MAX_PEERS + 8, "{}", queries.len());
}
