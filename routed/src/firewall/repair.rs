//! What it takes to make the kernel's table the one that is wanted.

use std::collections::BTreeSet;
use std::net::IpAddr;

use wire::nft::{Command, Element, Table, TableId, TableListing, Version};
use wire::spoof_guard;

use super::ruleset::{self, FirewallConfig};

/// As many elements are sent in one command.
const PORTION: usize = 1_000;

/// The commands, for one transaction. Where only addresses of nodes differ they are put right one
/// by one; everything else takes a new table, in the old one's place.
pub(crate) fn repair(wanted: &Table, found: Option<&TableListing>) -> Vec<Command> {
    let Some(found) = found else {
        return wanted.replace_commands();
    };
    let image = wanted.expected_listing();
    if *found == image {
        return Vec::new();
    }
    if bare(found.clone()) == bare(image.clone()) {
        let sets = image.sets.iter().zip(found.sets.values());
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
fn bare(mut image: TableListing) -> TableListing {
    for set in image.sets.values_mut().filter(|set| set.flags == 0) {
        set.elements.clear();
    }
    image
}

/// The commands after which the sets of nodes have the addresses that came, and not those that
/// went.
pub(super) fn node_commands(
    policy: &FirewallConfig,
    came: &[IpAddr],
    went: &[IpAddr],
) -> Vec<Command> {
    let of_version = |version| {
        let element = |address: &IpAddr| Element {
            address: *address,
            is_end: false,
        };
        let fitting = |addresses: &[IpAddr]| -> Vec<Element> {
            let fits = |address: &&IpAddr| Version::of(**address) == version;
            addresses.iter().filter(fits).map(element).collect()
        };
        let set = ruleset::nodes(version);
        elements(&spoof_guard::table(), set, &fitting(came), &fitting(went))
    };
    let versions = policy.masqueraded().into_iter();
    versions.flat_map(of_version).collect()
}

fn elements(table: &TableId, set: &str, missing: &[Element], excess: &[Element]) -> Vec<Command> {
    let add = missing.chunks(PORTION).map(|portion| Command::AddElements {
        table: table.clone(),
        set: set.to_owned(),
        elements: portion.to_vec(),
    });
    let remove = excess.chunks(PORTION).map(|portion| Command::DelElements {
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

    fn policy(masquerade: bool) -> FirewallConfig {
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
        ruleset::ruleset(&policy(true), &[own], &ips(nodes))
    }

    fn words(wanted: &Table, found: Option<&TableListing>) -> Vec<String> {
        let commands = repair(wanted, found);
        commands.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_table_that_is_right_is_left_alone() {
        let wanted = table(&["192.168.1.1"]);
        assert_eq!(repair(&wanted, Some(&wanted.expected_listing())), []);
    }

    #[test]
    fn a_table_that_is_missing_is_made() {
        let wanted = table(&["192.168.1.1"]);
        assert_eq!(repair(&wanted, None), wanted.replace_commands());
    }

    #[test]
    fn addresses_of_nodes_come_and_go_by_themselves() {
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
    fn what_changed_of_the_nodes_goes_into_the_sets_that_there_are() {
        let (came, went) = (ips(&["192.168.1.3", "fd00::3"]), ips(&["192.168.1.4"]));
        let words: Vec<_> = node_commands(&policy(true), &came, &went)
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
        assert_eq!(node_commands(&policy(false), &came, &went), []);
    }

    #[test]
    fn whatever_else_differs_takes_a_new_table() {
        let wanted = table(&["192.168.1.1"]);
        let end = |address: &str| Element {
            address: address.parse().unwrap(),
            is_end: false,
        };
        let changes: [fn(&mut TableListing); 5] = [
            |image| image.flags = 1,
            |image| image.size += 1,
            |image| drop(image.sets.remove("own4")),
            |image| drop(image.chains.remove("to-outside")),
            |image| {
                let chain = image.chains.get_mut("spoof-guard").unwrap();
                let accept = Rule::new([]).expressions(Family::Inet);
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
        own.elements.insert(end("10.0.0.0"));
        assert_eq!(repair(&wanted, Some(&found)), wanted.replace_commands());
    }
}
