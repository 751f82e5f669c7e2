//! Transactions of several megabytes, and what rules count.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use wire::IpProtocol;
use wire::netlink::Error;
use wire::nft::{
    AddressField, Direction, Hook, IpVersion, NftChain, NftRule, NftSet, NftTable, NftVerdict, Term,
};

use super::{accept, id, member, socket};
use crate::support::{netns, netns_with_loopback};

/// The addresses 10.0.0.0 and `fd00::` and those that follow.
fn numbered(count: u32) -> impl Iterator<Item = IpAddr> + Clone {
    (0..count).flat_map(|n| {
        let v6 = Ipv6Addr::from_bits((0xfd00 << 112) + u128::from(n));
        [Ipv4Addr::from_bits((10 << 24) + n).into(), v6.into()]
    })
}

/// 50,000 elements of each kind of set, and 5,000 rules in chains of ten.
fn large_table() -> NftTable {
    use IpVersion::{V4, V6};
    let chain_name = |number| format!("in-{number}-with-a-name-of-usual-length");
    let goto = |number: usize| NftVerdict::Goto(chain_name(number % 500));
    let pods = || numbered(6_250);
    let link = |n: usize| format!("flat{n:011x}");
    let endpoints = pods().map(|pod| (pod, IpProtocol::TCP, 8080));
    let verdicts = (0..12_500).map(|n| (link(n), goto(n)));
    let pairs = (0..12_500).map(|n| (link(n), link(n)));
    let mut sets = vec![
        NftSet::of_link_verdicts("map", verdicts),
        NftSet::of_link_pairs("itself", pairs),
    ];
    for (version, suffix) in [(V4, 4), (V6, 6)] {
        let name = |kind: &str| format!("{kind}{suffix}");
        sets.extend([
            NftSet::of_endpoints(&name("port"), version, endpoints.clone()),
            NftSet::of_addresses(&name("sel"), version, pods()),
        ]);
    }
    let rule = |number: usize| {
        let protocol = IpProtocol::TCP;
        let port = u16::try_from(number % 10).unwrap();
        NftRule::new([
            member(AddressField::Source, V4, "sel4", true),
            Term::Ports {
                protocol,
                ports: port..=port,
            },
            Term::Counter,
            Term::Verdict(NftVerdict::Return),
        ])
        .comment(&format!("np namespace-{number}/some-policy rule 1 of 3"))
    };
    let chains = (0..500).map(|number| NftChain {
        name: chain_name(number),
        hook: None,
        rules: (0..10).map(rule).collect(),
    });
    let forward = NftChain {
        name: "forward".to_owned(),
        hook: Some(Hook::new("filter", Hook::FORWARD, Hook::FILTER)),
        rules: vec![NftRule::new([Term::LinkVerdict {
            way: Direction::Out,
            map: "map".to_owned(),
        }])],
    };
    NftTable {
        id: id(),
        sets,
        chains: chains.chain([forward]).collect(),
    }
}

#[test]
fn fifty_thousand_elements_and_five_thousand_rules_fit() {
    let mut socket = socket(&netns());
    let table = large_table();
    let count: usize = table.sets.iter().map(|set| set.elements().len()).sum();
    assert_eq!(count, 50_000);
    let commands = table.replace_commands();

    let start = Instant::now();
    socket.apply(&commands, None).unwrap();
    let (applied, start) = (start.elapsed(), Instant::now());
    let expected = Some(table.expected_listing());
    // The kernel still enlarges the hash tables for a while, and a listing may miss elements then.
    let deadline = start + Duration::from_secs(20);
    let mut found = socket.table(&id()).unwrap().0;
    while found != expected && Instant::now() < deadline {
        found = socket.table(&id()).unwrap().0;
    }
    let listed = start.elapsed();

    println!(
        "{} commands applied in {applied:?}, listed in {listed:?}",
        commands.len()
    );
    assert!(found == expected);
    let counters = socket.counters(&id()).unwrap();
    assert_eq!(counters.len(), 5_000);
}

#[test]
fn first_refused_command_is_named_even_if_all_are_refused() {
    let mut socket = socket(&netns());
    // Nothing of it can be made, because the table is missing.
    let commands = &large_table().replace_commands()[3..];

    let error = socket.apply(commands, None).unwrap_err();

    let Error::Refused {
        index,
        request,
        errno,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!((*index, *errno), (0, Errno::ENOENT));
    assert_eq!(request, "nft add map inet flatland map");
    // The replies that did not fit do not disturb the next exchange.
    assert_eq!(socket.table(&id()).unwrap().0, None);
}

#[test]
fn counters_have_chain_comment_packets_and_bytes() {
    let (namespace, _) = netns_with_loopback();
    let mut socket = socket(&namespace);
    let rule = |port, comment: &str| {
        let protocol = IpProtocol::UDP;
        let ports = port..=port;
        let terms = [Term::Ports { protocol, ports }, Term::Counter, accept()];
        NftRule::new(terms).comment(comment)
    };
    let table = NftTable {
        id: id(),
        sets: vec![],
        chains: vec![
            NftChain {
                name: "in".to_owned(),
                hook: Some(Hook::new("filter", 1, Hook::FILTER)),
                rules: vec![
                    NftRule::new([Term::Verdict(NftVerdict::Jump("rest".to_owned()))]),
                    rule(4000, "never"),
                ],
            },
            NftChain {
                name: "rest".to_owned(),
                hook: None,
                rules: vec![rule(4001, "twice")],
            },
        ],
    };
    socket.apply(&table.replace_commands(), None).unwrap();

    namespace
        .run(|| {
            let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
            for _ in 0..2 {
                sender.send_to(b"hello", "127.0.0.1:4001").unwrap();
            }
        })
        .unwrap();

    let counters = socket.counters(&id()).unwrap().into_iter();
    let counters: Vec<_> = counters
        .map(|it| (it.chain, it.comment.unwrap(), it.packets, it.bytes))
        .collect();
    let text = str::to_owned;
    let expected = [
        (text("in"), text("never"), 0, 0),
        // 20 bytes IPv4, 8 bytes UDP, 5 bytes of text.
        (text("rest"), text("twice"), 2, 66),
    ];
    assert_eq!(counters, expected);
}
