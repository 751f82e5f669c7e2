use super::*;

#[test]
fn packet_that_goes_as_our_route_says_is_no_fault() {
    let facts = facts();
    let query = pod_to_remote(&facts);
    for table in [MAIN, 52] {
        let fate = forward(&query.wanted, table);
        assert_eq!(fault(&query, &fate, &facts), None);
    }
    assert_eq!(fault(&query, &dropped(Errno::ENODEV), &facts), None);
    let local = fault(&query, &Fate::Local, &facts).unwrap();
    assert!(
        local
            .text
            .ends_with("but 10.244.2.2 is an address of this host itself"),
        "{local:?}"
    );
    let elsewhere = forward(&foreign("10.244.2.2/32", "192.168.1.1", ETH0), MAIN);
    let found = fault(&query, &elsewhere, &facts).unwrap();
    assert!(
        found
            .text
            .contains("but the kernel sends them via 192.168.1.1 dev eth0"),
        "{found:?}"
    );
}

#[test]
fn culprit_is_named_with_its_rule_or_route() {
    type Case = (fn(&mut PacketFacts), &'static str, &'static str);
    let cases: [Case; 5] = [
        (
            |facts| {
                let to = foreign("10.244.0.0/16", "192.168.1.254", ETH0);
                facts.tables.insert(52, vec![to]);
                add_rule(facts, rule(5270, PolicyAction::Lookup(52)));
            },
            "the policy rule \"5270: from all lookup 52\" sends them to table 52, which has \
             10.244.0.0/16 via 192.168.1.254 dev eth0",
            "ip rule add priority 5269 to 10.244.0.0/16 lookup main",
        ),
        (
            |facts| add_rule(facts, rule(1, PolicyAction::Prohibit)),
            "the policy rule \"1: from all prohibit\" refuses them",
            "remove it: ip rule del priority 1",
        ),
        (
            |facts| {
                let goto = rule(10, PolicyAction::Goto(200));
                for rule in [goto, rule(100, PolicyAction::Blackhole)] {
                    add_rule(facts, rule);
                }
                add_rule(facts, rule(200, PolicyAction::Unreachable));
            },
            "the policy rule \"200: from all unreachable\" refuses them",
            "ip rule del priority 200",
        ),
        (
            |facts| {
                let vrf = rule(1000, PolicyAction::LookupVrf);
                add_rule(facts, vrf);
                facts.in_vrf.insert(HOST_END);
            },
            "sends them to the table of a VRF, which has no route for them",
            "ip rule add priority 999 to 10.244.0.0/16 lookup main",
        ),
        (
            |facts| {
                let main = facts.tables.get_mut(&MAIN).unwrap();
                main.push(foreign("10.244.2.0/25", "192.168.1.254", ETH0));
            },
            "another program's route wins: 10.244.2.0/25 via 192.168.1.254 dev eth0 proto static",
            "ip route del 10.244.2.0/25 via 192.168.1.254 dev eth0 proto 4",
        ),
    ];
    for (change, text, fix) in cases {
        let mut facts = facts();
        let query = pod_to_remote(&facts);
        change(&mut facts);
        let found = fault(&query, &dropped(Errno::ENETUNREACH), &facts).unwrap();
        let start = "packets from 10.244.1.2 that come in by flat1 to 10.244.2.2 should go via \
                     192.168.1.12 dev eth0, but ";
        assert!(
            found.text.starts_with(start) && found.text.contains(text),
            "{found:?}"
        );
        assert!(found.fix.contains(fix), "{found:?}");
    }
}

#[test]
fn rule_that_does_not_take_the_packet_is_not_named() {
    let mut facts = facts();
    let query = pod_to_remote(&facts);
    let all = || rule(100, PolicyAction::Blackhole);
    for harmless in [
        PolicyRule {
            from: net("10.244.9.0/24"),
            ..all()
        },
        PolicyRule {
            to: net("10.244.9.0/24"),
            ..all()
        },
        PolicyRule {
            mark: Some((0x10, 0xff)),
            ..all()
        },
        PolicyRule {
            iif: Some("eth1".into()),
            ..all()
        },
        PolicyRule {
            oif: Some("eth0".into()),
            ..all()
        },
        PolicyRule {
            looks_deeper: true,
            ..all()
        },
        PolicyRule {
            inverted: true,
            ..all()
        },
    ] {
        add_rule(&mut facts, harmless);
    }
    let culprit = PolicyRule {
        mark: Some((0x10, 0xff)),
        inverted: true,
        ..rule(200, PolicyAction::Unreachable)
    };
    add_rule(&mut facts, culprit);
    let found = fault(&query, &dropped(Errno::ENETUNREACH), &facts).unwrap();
    assert!(
        found
            .text
            .contains("\"200: not from all fwmark 0x10/0xff unreachable\""),
        "{found:?}"
    );
}

#[test]
fn rule_that_passes_over_our_route_is_named_too() {
    let mut facts = facts();
    let query = pod_to_remote(&facts);
    let suppressing = PolicyRule {
        suppress_prefix_length: Some(24),
        ..rule(32764, PolicyAction::Lookup(MAIN))
    };
    add_rule(&mut facts, suppressing);
    add_rule(&mut facts, rule(32765, PolicyAction::Lookup(51820)));
    let tunnel = Route {
        via: None,
        ..foreign("0.0.0.0/0", "192.168.1.1", ETH1)
    };
    facts.tables.insert(51820, vec![tunnel.clone()]);
    let found = fault(&query, &forward(&tunnel, 51820), &facts).unwrap();
    for part in [
        "\"32765: from all lookup 51820\" sends them to table 51820, which has 0.0.0.0/0 dev eth1",
        "\"32764: from all lookup main suppress_prefixlength 24\" passes over our route",
    ] {
        assert!(found.text.contains(part), "{found:?}");
    }
    assert!(
        found.fix.contains("rule add priority 32763 to"),
        "{found:?}"
    );
}

#[test]
fn drop_by_a_setting_names_it_and_its_link() {
    let mut facts = facts();
    let settings = |forwards, rp_filter, rp_filter_of_all| LinkSettings {
        forwards,
        rp_filter,
        rp_filter_of_all,
    };
    let query = remote_to_pod(&facts);
    facts.settings.insert(ETH0, settings(false, 0, 0));
    let found = fault(&query, &dropped(Errno::EHOSTUNREACH), &facts).unwrap();
    assert!(
        found
            .text
            .contains("eth0 forwards nothing: net.ipv4.conf.eth0.forwarding = 0")
    );
    assert!(
        found
            .fix
            .starts_with("sysctl -w net.ipv4.conf.eth0.forwarding=1")
    );

    // The peer's packets come in by eth0, and our route to it leaves by eth1.
    let mut other = facts.clone();
    let main = other.tables.get_mut(&MAIN).unwrap();
    main[2] = route("10.244.2.0/24", Some("172.16.0.12"), ETH1);
    let back = forward(&main[2], MAIN);
    let mut other = other.index();
    for (of_link, of_all, name) in [(1, 0, "eth0"), (0, 1, "all"), (2, 1, "eth0")] {
        other.settings.insert(ETH0, settings(true, of_link, of_all));
        for errno in [Errno::EXDEV, Errno::EINVAL] {
            let found = judge(&query, &dropped(errno), Some(&back), &other).unwrap();
            let found = PathFault::from(found);
            let text = "but rp_filter drops what comes in by eth0: the way back is by eth1, and \
                        net.ipv4.conf.";
            assert!(found.text.contains(text), "{found:?}");
            assert!(
                found.text.contains(&format!("conf.{name}.rp_filter = ")),
                "{found:?}"
            );
            assert!(
                found.fix.contains("net.ipv4.conf.eth0.rp_filter=2"),
                "{found:?}"
            );
        }
    }
}

#[test]
fn faults_of_one_culprit_are_one_line() {
    let mut facts = facts();
    let queries = for_node(&facts);
    add_rule(&mut facts, rule(100, PolicyAction::Blackhole));
    let found = queries
        .iter()
        .filter_map(|it| judge(it, &dropped(Errno::EINVAL), None, &facts));
    let faults = by_culprit(found.collect());
    let [fault] = &faults[..] else {
        panic!("{faults:#?}");
    };
    let more = format!(
        "(the same for {} more of the packets asked about)",
        queries.len() - 1
    );
    assert!(fault.text.ends_with(&more), "{fault:?}");
}
