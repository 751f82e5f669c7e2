//! The commands of one transaction that brings the table from one state to the next, element by
//! element.

use policy::rules::{Change, ElementChange, Ruleset, SetElement, SetId, TrafficDirection};
use wire::IpProtocol;
use wire::nft::{Element, ElementKey, Elements, IpVersion, NftCommand, NftSet};

use super::rules::chain;
use super::whole::{kernel_set_names, kernel_sets};
use super::{ITSELF, Pods, VERSIONS, chain_name, pod_element, set_name, table_id, verdict_map};

/// The commands for a change of the rules, which leads to `ruleset`, and of the pods.
///
/// Nothing refers to what is not there yet, and nothing is removed that is referred to.
pub(crate) fn change_commands(
    ruleset: &Ruleset,
    change: &Change,
    before: &Pods,
    after: &Pods,
) -> Vec<NftCommand> {
    let sets = change.added_sets.iter();
    let sets = sets.flat_map(|(id, set)| kernel_sets(*id, set));
    let mut commands: Vec<_> = sets.flat_map(add_set).collect();
    for (id, of_set) in &change.elements {
        commands.extend(set_elements(*id, of_set));
    }
    let chains = change.added_chains.iter();
    let chains = chains.map(|(id, it)| chain(ruleset, *id, it));
    commands.extend(chains.flat_map(|made| {
        let name = made.name;
        let add = NftCommand::AddChain {
            table: table_id(),
            chain: name.clone(),
            hook: None,
        };
        let rules = made.rules.into_iter().map(move |rule| NftCommand::AddRule {
            table: table_id(),
            chain: name.clone(),
            before: None,
            rule,
        });
        std::iter::once(add).chain(rules)
    }));
    commands.extend(pod_elements(before, after));
    let chains = change.removed_chains.iter().rev();
    commands.extend(chains.map(|id| NftCommand::DelChain {
        table: table_id(),
        chain: chain_name(*id),
    }));
    let sets = change.removed_sets.iter();
    let names = sets.flat_map(|(id, set)| kernel_set_names(*id, set));
    commands.extend(names.map(|set| NftCommand::DelSet {
        table: table_id(),
        set,
    }));
    commands
}

fn add_set(set: NftSet) -> Vec<NftCommand> {
    let elements: Vec<Element> = set.elements().into_iter().collect();
    let filled = added(&set.name, &elements);
    let table = table_id();
    [vec![NftCommand::AddSet { table, set }], filled].concat()
}

fn added(set: &str, elements: &[Element]) -> Vec<NftCommand> {
    let table = table_id();
    let portions = Elements::in_portions(&table, set, elements);
    portions.map(NftCommand::AddElements).collect()
}

fn removed(set: &str, elements: &[Element]) -> Vec<NftCommand> {
    let table = table_id();
    let portions = Elements::in_portions(&table, set, elements);
    portions.map(NftCommand::DelElements).collect()
}

/// Elements of a set of addresses or ports.
fn set_elements(id: SetId, change: &ElementChange) -> Vec<NftCommand> {
    let of_version = |elements: &std::collections::BTreeSet<SetElement>, version| {
        let of_it = elements
            .iter()
            .filter(|it| IpVersion::of(it.address()) == version);
        of_it.map(element).collect::<Vec<_>>()
    };
    let commands = VERSIONS.map(|version| {
        let name = set_name(id, version);
        let gone = removed(&name, &of_version(&change.removed, version));
        let new = added(&name, &of_version(&change.added, version));
        [gone, new].concat()
    });
    commands.concat()
}

fn element(of_set: &SetElement) -> Element {
    Element::new(match of_set {
        SetElement::Address(address) => ElementKey::Address(*address),
        SetElement::Port(address, protocol, port) => {
            ElementKey::Endpoint(*address, IpProtocol(protocol.number()), *port)
        }
    })
}

/// The elements of the pods: the verdict of an existing one cannot be changed, so it is removed before.
fn pod_elements(before: &Pods, after: &Pods) -> Vec<NftCommand> {
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    for direction in TrafficDirection::ALL {
        let map = verdict_map(direction);
        let element = |pods: &Pods, interface: &String| {
            pod_element(interface, *pods.get(interface)?, direction)
        };
        let changed = |one: &Pods, other: &Pods| -> Vec<Element> {
            let elements = one.keys().filter_map(|interface| {
                let own = element(one, interface)?;
                (element(other, interface).as_ref() != Some(&own)).then_some(own)
            });
            elements.collect()
        };
        gone.extend(removed(map, &changed(before, after)));
        new.extend(added(map, &changed(after, before)));
    }
    let itself = |one: &Pods, other: &Pods| -> Vec<Element> {
        let only = one
            .keys()
            .filter(|interface| !other.contains_key(*interface));
        only.map(|it| Element::new(ElementKey::link_pair(it, it)))
            .collect()
    };
    gone.extend(removed(ITSELF, &itself(before, after)));
    new.extend(added(ITSELF, &itself(after, before)));
    [gone, new].concat()
}
