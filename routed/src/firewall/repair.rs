//! The nftables commands that turn the kernel's table into the wanted one.

use std::collections::BTreeSet;
use std::net::IpAddr;

use wire::nft::{Command, Element, Table, TableId, TableListing, Version};
use wire::spoof_guard;

use super::ruleset::{self, FirewallConfig};

/// The number of set elements in one command.
const MAX_ELEMENTS_PER_COMMAND: usize = 1_000;

/// The commands, for one transaction. If only node addresses differ, single set elements are added
/// and deleted; any other difference replaces the table.
pub(crate) fn repair(wanted: &Table, found: Option<&TableListing>) -> Vec<Command> {
    let Some(found) = found else {
        return wanted.replace_commands();
    };
    let listing = wanted.image();
    if *found == listing {
        return Vec::new();
    }
    if without_node_elements(found.clone()) == without_node_elements(listing.clone()) {
        let sets = listing.sets.iter().zip(found.sets.values());
        let changes = sets.flat_map(|((name, wanted_set), found_set)| {
            let difference = |a: &BTreeSet<Element>, b| a.difference(b).copied().collect();
            let missing: Vec<_> = difference(&wanted_set.elements, &found_set.elements);
            let excess: Vec<_> = difference(&found_set.elements, &wanted_set.elements);
            elements(&wanted.id, name, &missing, &excess)
        });
        return changes.collect();
    }
    wanted.replace_commands()
}

/// Without the elements that can be changed one by one.
fn without_node_elements(mut listing: TableListing) -> TableListing {
    for set in listing.sets.values_mut().filter(|set| set.flags == 0) {
        set.elements.clear();
    }
    listing
}

/// The commands after which the sets of nodes have the addresses that came, and not those that
/// went.
pub(super) fn node_commands(
    config: &FirewallConfig,
    added: &[IpAddr],
    removed: &[IpAddr],
) -> Vec<Command> {
    let of_version = |version| {
        let element = |address: &IpAddr| Element {
            address: *address,
            is_end: false,
        };
        let elements_of = |addresses: &[IpAddr]| -> Vec<Element> {
            let fits = |address: &&IpAddr| Version::of(**address) == version;
            addresses.iter().filter(fits).map(element).collect()
        };
        let set = ruleset::node_set_name(version);
        elements(
            &spoof_guard::table(),
            set,
            &elements_of(added),
            &elements_of(removed),
        )
    };
    let versions = config.masqueraded_versions().into_iter();
    versions.flat_map(of_version).collect()
}

fn elements(table: &TableId, set: &str, missing: &[Element], excess: &[Element]) -> Vec<Command> {
    let add = missing
        .chunks(MAX_ELEMENTS_PER_COMMAND)
        .map(|portion| Command::AddElements {
            table: table.clone(),
            set: set.to_owned(),
            elements: portion.to_vec(),
        });
    let remove = excess
        .chunks(MAX_ELEMENTS_PER_COMMAND)
        .map(|portion| Command::DelElements {
            table: table.clone(),
            set: set.to_owned(),
            elements: portion.to_vec(),
        });
    add.chain(remove).collect()
}

#[cfg(test)]
mod tests {
    use wire::nft::{Family, Rule};

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

    fn table(nodes: &[&str]) -> Table {
        let own = "10.244.7.0/24".parse().unwrap();
        ruleset::ruleset(&config(true), &[own], &ips(nodes))
    }

    fn words(wanted: &Table, found: Option<&TableListing>) -> Vec<String> {
        let commands = repair(wanted, found);
        commands.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn correct_table_is_left_alone() {
        let wanted = table(&["192.168.1.1"]);
        assert_eq!(repair(&wanted, Some(&wanted.image())), []);
    }

    #[test]
    fn missing_table_is_created() {
        let wanted = table(&["192.168.1.1"]);
        assert_eq!(repair(&wanted, None), wanted.replace_commands());
    }

    #[test]
    fn changed_node_addresses_are_updated_in_sets() {
        let wanted = table(&["192.168.1.1", "192.168.1.2"]);
        let found = table(&["192.168.1.2", "192.168.1.3"]).image();
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
        let end = |address: &str| Element {
            address: address.parse().unwrap(),
            is_end: false,
        };
        let changes: [fn(&mut TableListing); 5] = [
            |listing| listing.flags = 1,
            |listing| listing.size += 1,
            |listing| drop(listing.sets.remove("own4")),
            |listing| drop(listing.chains.remove("to-outside")),
            |listing| {
                let chain = listing.chains.get_mut("spoof-guard").unwrap();
                let accept = Rule::new([]).expressions(Family::Inet);
                chain.rules.insert(0, (accept, None));
            },
        ];
        for change in changes {
            let mut found = wanted.image();
            change(&mut found);
            assert_eq!(repair(&wanted, Some(&found)), wanted.replace_commands());
        }
        let mut found = wanted.image();
        let own = found.sets.get_mut("own4").unwrap();
        own.elements.insert(end("10.0.0.0"));
        assert_eq!(repair(&wanted, Some(&found)), wanted.replace_commands());
    }
}
