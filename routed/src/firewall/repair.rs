//! The nftables commands that turn the kernel's table into the wanted one.

use std::collections::BTreeSet;
use std::net::IpAddr;

use wire::nft::{Element, Elements, IpVersion, NftCommand, NftTable, TableId, TableListing};
use wire::spoof_guard;

use super::ruleset::{self, FirewallConfig};

/// The commands, for one transaction. If only node addresses differ, single set elements are added
/// and deleted; any other difference replaces the table.
pub(crate) fn repair(wanted: &NftTable, found: Option<&TableListing>) -> Vec<NftCommand> {
    let Some(found) = found else {
        return wanted.replace_commands();
    };
    let listing = wanted.expected_listing();
    if *found == listing {
        return Vec::new();
    }
    if without_node_elements(found.clone()) == without_node_elements(listing.clone()) {
        let sets = listing.sets.iter().zip(found.sets.values());
        let changes = sets.flat_map(|((name, wanted_set), found_set)| {
            let difference = |a: &BTreeSet<Element>, b| a.difference(b).cloned().collect();
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
) -> Vec<NftCommand> {
    let of_version = |version| {
        let elements_of = |addresses: &[IpAddr]| -> Vec<Element> {
            let fits = |address: &&IpAddr| IpVersion::of(**address) == version;
            let fitting = addresses.iter().filter(fits).copied();
            fitting.map(Element::new).collect()
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

fn elements(
    table: &TableId,
    set: &str,
    missing: &[Element],
    excess: &[Element],
) -> Vec<NftCommand> {
    let portions = |elements| Elements::in_portions(table, set, elements);
    let add = portions(missing).map(NftCommand::AddElements);
    let remove = portions(excess).map(NftCommand::DelElements);
    add.chain(remove).collect()
}

#[cfg(test)]
mod tests;
