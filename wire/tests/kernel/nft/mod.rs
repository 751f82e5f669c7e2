//! nftables tables, against the kernel and the listing of `nft`.

mod changes;
mod large;
mod policy;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::process::Command;

use ipnet::IpNet;
use wire::netns::Netns;
use wire::nft::{
    AddressField, Direction, Hook, IpVersion, NftChain, NftRule, NftSet, NftSocket, NftTable,
    NftVerdict, TableFamily, TableId, Term,
};
use wire::spoof_guard;

use crate::support::netns;

pub(crate) fn socket(namespace: &Netns) -> NftSocket {
    namespace.run(NftSocket::open).unwrap().unwrap()
}

pub(crate) fn nft(namespace: &Netns, command: &str) -> String {
    let run = || Command::new("nft").args(["--stateless", command]).output();
    let output = namespace.run(run).unwrap().expect("nft is installed");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "nft {command}: {words}");
    String::from_utf8(output.stdout).unwrap()
}

/// Joins lines that nft has broken.
fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

fn prefixes(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn id() -> TableId {
    TableId::new(TableFamily::Inet, "flatland")
}

fn link(way: Direction, is: bool) -> Term {
    let prefix = "flat".to_owned();
    Term::Link { way, prefix, is }
}

fn member(end: AddressField, version: IpVersion, set: &str, is: bool) -> Term {
    Term::Member {
        end,
        version,
        set: set.to_owned(),
        is,
    }
}

fn accept() -> Term {
    Term::Verdict(NftVerdict::Accept)
}

/// Rules with every kind of term that the spoof guard needs.
fn guard_rules() -> Vec<NftRule> {
    use IpVersion::{V4, V6};
    vec![
        NftRule::new([link(Direction::In, false), accept()]),
        NftRule::new([
            Term::Icmpv6(Term::REDIRECT),
            Term::Verdict(NftVerdict::Drop),
        ]),
        NftRule::new([Term::Icmpv6(Term::ROUTER_ADVERTISEMENT), accept()]),
        NftRule::new([
            Term::from("fe80::/10".parse().unwrap()),
            Term::Icmpv6(Term::NEIGHBOUR_SOLICITATION),
            Term::Limit { rate: 7, burst: 9 },
            accept(),
        ]),
        NftRule::new([Term::Icmpv6(Term::NEIGHBOUR_ADVERTISEMENT), accept()]),
        NftRule::new([Term::from("fe80::/10".parse().unwrap()), accept()]),
        NftRule::new([Term::from("::/128".parse().unwrap()), accept()]),
        NftRule::new([
            Term::IpVersion(V4),
            Term::ReversePath { is: true },
            accept(),
        ]),
        NftRule::new([
            Term::IpVersion(V6),
            Term::ReversePath { is: true },
            accept(),
        ]),
        NftRule::new([
            Term::ReversePath { is: false },
            Term::Counter,
            Term::Verdict(NftVerdict::Drop),
        ])
        .comment("no way back"),
    ]
}

/// A table with every kind of object and term.
fn everything() -> NftTable {
    use IpVersion::{V4, V6};
    let nodes = addresses(&["192.168.1.12", "192.168.1.11", "fd00::11"]);
    let near = prefixes(&["224.0.0.0/4", "10.0.0.0/8", "11.0.0.0/9", "192.0.2.1/32"]);
    NftTable {
        id: id(),
        sets: vec![
            NftSet::of_addresses("nodes4", V4, nodes.clone()),
            NftSet::of_prefixes("near4", V4, &near),
            NftSet::of_addresses("nodes6", V6, nodes),
            NftSet::of_prefixes("near6", V6, &prefixes(&["fe80::/10", "ff00::/8"])),
            NftSet::of_prefixes("all6", V6, &prefixes(&["::/0"])),
            NftSet::of_addresses("none", V6, []),
        ],
        chains: vec![
            NftChain {
                name: "guard".to_owned(),
                hook: Some(Hook::new("filter", Hook::PREROUTING, Hook::RAW)),
                rules: guard_rules(),
            },
            NftChain {
                name: "out".to_owned(),
                hook: Some(Hook::new("nat", Hook::POSTROUTING, Hook::SOURCE_NAT)),
                rules: vec![
                    NftRule::new([link(Direction::Out, true), accept()]),
                    NftRule::new([
                        member(AddressField::Source, V4, "near4", true),
                        member(AddressField::Destination, V4, "nodes4", false),
                        Term::Masquerade,
                    ]),
                    NftRule::new([
                        member(AddressField::Source, V6, "near6", false),
                        member(AddressField::Destination, V6, "all6", true),
                        Term::Masquerade,
                    ]),
                ],
            },
            NftChain {
                name: "through".to_owned(),
                hook: Some(Hook::new("filter", Hook::FORWARD, Hook::FILTER)),
                rules: vec![
                    NftRule::new([Term::to("10.128.0.0/9".parse().unwrap()), accept()]),
                    NftRule::new([Term::to("10.244.0.0/16".parse().unwrap()), accept()]),
                    NftRule::new([Term::to("192.0.2.1/32".parse().unwrap()), accept()]),
                ],
            },
        ],
    }
}

#[test]
fn table_is_listed_by_nft_and_kernel_as_expected() {
    let namespace = netns();
    let mut socket = socket(&namespace);
    let table = everything();

    socket.apply(&table.replace_commands(), None).unwrap();

    let listed = nft(&namespace, "list table inet flatland");
    assert_eq!(words(&listed), words(&table.to_string()));
    assert_eq!(
        socket.table(&id()).unwrap().0,
        Some(table.expected_listing())
    );
}

#[test]
fn table_loaded_by_nft_equals_ours() {
    let namespace = netns();
    let table = everything();
    // The only difference: for prefixes at byte borders nft loads fewer bytes, which is equivalent.
    let text = table.to_string().replace(
        "ip daddr 10.244.0.0/16",
        "ip daddr & 255.255.0.0 == 10.244.0.0",
    );

    nft(&namespace, &text);

    let image = socket(&namespace).table(&id()).unwrap().0;
    assert_eq!(image, Some(table.expected_listing()));
}

#[test]
fn table_replaces_whatever_was_there() {
    let namespace = netns();
    let mut socket = socket(&namespace);
    nft(
        &namespace,
        "table inet flatland { flags dormant; set x { type mark; }; chain guard { drop; }; }",
    );
    let other = "table ip flatland {\n\tchain guard {\n\t}\n}\n";
    nft(&namespace, other);

    for _ in 0..2 {
        socket
            .apply(&everything().replace_commands(), None)
            .unwrap();
        assert_eq!(
            socket.table(&id()).unwrap().0,
            Some(everything().expected_listing())
        );
    }
    assert_eq!(nft(&namespace, "list table ip flatland"), other);
}

#[test]
fn every_external_change_shows_in_the_listing() {
    for change in [
        "add element inet flatland nodes4 { 192.168.1.13 }",
        "delete element inet flatland nodes6 { fd00::11 }",
        "add element inet flatland near4 { 172.16.0.0/12 }",
        "flush set inet flatland nodes4",
        "flush chain inet flatland out",
        "flush table inet flatland",
        "add rule inet flatland guard counter",
        "insert rule inet flatland guard accept",
        "add chain inet flatland guard { policy drop; }",
        "add chain inet flatland other",
        "add set inet flatland other { type mark; }",
        "add counter inet flatland other",
        "add table inet flatland { flags dormant; }",
    ] {
        let namespace = netns();
        let mut socket = socket(&namespace);
        socket
            .apply(&everything().replace_commands(), None)
            .unwrap();

        nft(&namespace, change);

        let image = socket.table(&id()).unwrap().0.unwrap();
        assert_ne!(image, everything().expected_listing(), "{change}");
    }
}

#[test]
fn spoof_guard_needs_a_base_chain_with_rules() {
    let namespace = netns();
    let is_there = || namespace.run(spoof_guard::is_installed).unwrap().unwrap();
    assert!(!is_there(), "no table");
    for (change, expected) in [
        ("add table inet flatland", false),
        ("add chain inet flatland spoof-guard", false),
        ("add rule inet flatland spoof-guard drop", false),
        ("delete table inet flatland", false),
        (
            "table inet flatland { chain spoof-guard { \
             type filter hook prerouting priority raw; drop; }; }",
            true,
        ),
        ("add rule inet flatland spoof-guard accept", true),
        ("flush chain inet flatland spoof-guard", false),
    ] {
        nft(&namespace, change);
        assert_eq!(is_there(), expected, "after {change}");
    }
}

#[test]
fn missing_table_is_none() {
    let mut socket = socket(&netns());
    assert_eq!(socket.table(&id()).unwrap().0, None);
    assert_eq!(socket.base_chain(&id(), "guard").unwrap(), None);
    assert_eq!(socket.rules(&id(), Some("guard")).unwrap(), []);
    assert_eq!(socket.base_chains().unwrap(), []);
}

#[test]
fn thousands_of_elements_fit_into_one_transaction() {
    let mut socket = socket(&netns());
    let both = |n: u16| {
        let [high, low] = n.to_be_bytes();
        [
            IpAddr::from([10, 0, high, low]),
            IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, n]),
        ]
    };
    let all: BTreeSet<IpAddr> = (0..5_000).flat_map(both).collect();
    let mut table = everything();
    table.sets[0] = NftSet::of_addresses("nodes4", IpVersion::V4, all.clone());
    table.sets[2] = NftSet::of_addresses("nodes6", IpVersion::V6, all);

    socket.apply(&table.replace_commands(), None).unwrap();

    assert_eq!(
        socket.table(&id()).unwrap().0,
        Some(table.expected_listing())
    );
}
