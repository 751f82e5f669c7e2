use wire::nft::{NftRule, TableFamily};

use super::*;

fn config(masquerade: bool) -> FirewallConfig {
    FirewallConfig {
        masquerade,
        pod_cidrs: vec!["10.244.0.0/16".parse().unwrap()],
        direct: vec![],
    }
}

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn table(nodes: &[&str]) -> NftTable {
    let own = "10.244.7.0/24".parse().unwrap();
    ruleset::ruleset(&config(true), &[own], &ips(nodes))
}

fn words(wanted: &NftTable, found: Option<&TableListing>) -> Vec<String> {
    let commands = repair(wanted, found);
    commands.iter().map(ToString::to_string).collect()
}

#[test]
fn correct_table_is_left_alone() {
    let wanted = table(&["192.168.1.1"]);
    assert_eq!(repair(&wanted, Some(&wanted.expected_listing())), []);
}

#[test]
fn missing_table_is_created() {
    let wanted = table(&["192.168.1.1"]);
    assert_eq!(repair(&wanted, None), wanted.replace_commands());
}

#[test]
fn changed_node_addresses_are_updated_in_sets() {
    let wanted = table(&["192.168.1.1", "192.168.1.2"]);
    let found = table(&["192.168.1.2", "192.168.1.3"]).expected_listing();
    assert_eq!(
        words(&wanted, Some(&found)),
        [
            "add element inet flatland nodes4 { 192.168.1.1 }",
            "delete element inet flatland nodes4 { 192.168.1.3 }"
        ]
    );
}

#[test]
fn node_changes_update_only_existing_sets() {
    let (added, removed) = (ips(&["192.168.1.3", "fd00::3"]), ips(&["192.168.1.4"]));
    let words: Vec<_> = node_commands(&config(true), &added, &removed)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        words,
        [
            "add element inet flatland nodes4 { 192.168.1.3 }",
            "delete element inet flatland nodes4 { 192.168.1.4 }"
        ]
    );
    assert_eq!(node_commands(&config(false), &added, &removed), []);
}

#[test]
fn other_difference_replaces_the_table() {
    let wanted = table(&["192.168.1.1"]);
    let changes: [fn(&mut TableListing); 5] = [
        |listing| listing.flags = 1,
        |listing| listing.size += 1,
        |listing| drop(listing.sets.remove("own4")),
        |listing| drop(listing.chains.remove("to-outside")),
        |listing| {
            let chain = listing.chains.get_mut("spoof-guard").unwrap();
            let accept = NftRule::new([]).expressions(TableFamily::Inet);
            chain.rules.insert(0, (accept, None));
        },
    ];
    for change in changes {
        let mut found = wanted.expected_listing();
        change(&mut found);
        assert_eq!(repair(&wanted, Some(&found)), wanted.replace_commands());
    }
    let mut found = wanted.expected_listing();
    let own = found.sets.get_mut("own4").unwrap();
    own.elements.insert(Element::new(ips(&["10.0.0.0"])[0]));
    assert_eq!(repair(&wanted, Some(&found)), wanted.replace_commands());
}
