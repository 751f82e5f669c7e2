//! The rules while they change.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::rules::{
    ChainId, Change, ElementChange, LocalAddress, PeerSet, RuleChain, Ruleset, SetElement, SetId,
};

/// The rules, and how they differ from those at the last [`Draft::take`].
#[derive(Debug, Default)]
pub(super) struct Draft {
    ruleset: Ruleset,
    /// What is new is copied when the change is taken.
    new_sets: BTreeSet<SetId>,
    new_chains: BTreeSet<ChainId>,
    elements: BTreeMap<SetId, ElementChange>,
    /// What there was.
    local_before: BTreeMap<IpAddr, Option<LocalAddress>>,
    removed_chains: BTreeSet<ChainId>,
    removed_sets: BTreeMap<SetId, PeerSet>,
}

impl Draft {
    /// The rules as they are.
    pub(super) fn ruleset(&self) -> &Ruleset {
        &self.ruleset
    }

    pub(super) fn add_set(&mut self, id: SetId, set: PeerSet) {
        self.ruleset.sets.insert(id, set);
        self.new_sets.insert(id);
    }

    pub(super) fn remove_set(&mut self, id: SetId) {
        let removed = self.ruleset.sets.remove(&id);
        self.elements.remove(&id);
        if !self.new_sets.remove(&id) {
            self.removed_sets.extend(removed.map(|set| (id, set)));
        }
    }

    pub(super) fn add_element(&mut self, id: SetId, element: SetElement) {
        let set = self.ruleset.sets.get_mut(&id);
        let elements = set.and_then(PeerSet::elements_mut);
        if elements.is_some_and(|it| it.insert(element)) && !self.new_sets.contains(&id) {
            let change = self.elements.entry(id).or_default();
            if !change.removed.remove(&element) {
                change.added.insert(element);
            }
        }
    }

    pub(super) fn remove_element(&mut self, id: SetId, element: SetElement) {
        let set = self.ruleset.sets.get_mut(&id);
        let elements = set.and_then(PeerSet::elements_mut);
        if elements.is_some_and(|it| it.remove(&element)) && !self.new_sets.contains(&id) {
            let change = self.elements.entry(id).or_default();
            if !change.added.remove(&element) {
                change.removed.insert(element);
            }
        }
    }

    pub(super) fn add_chain(&mut self, id: ChainId, chain: RuleChain) {
        self.ruleset.chains.insert(id, chain);
        self.new_chains.insert(id);
    }

    pub(super) fn remove_chain(&mut self, id: ChainId) {
        self.ruleset.chains.remove(&id);
        if !self.new_chains.remove(&id) {
            self.removed_chains.insert(id);
        }
    }

    /// Sets what the rules say of an address of a local pod, or removes it.
    pub(super) fn set_local(&mut self, address: IpAddr, local: Option<LocalAddress>) {
        let now = self.ruleset.local.get(&address);
        if now == local.as_ref() {
            return;
        }
        self.local_before
            .entry(address)
            .or_insert_with(|| now.cloned());
        match local {
            Some(local) => self.ruleset.local.insert(address, local),
            None => self.ruleset.local.remove(&address),
        };
    }

    /// The change since the last time.
    pub(super) fn take(&mut self) -> Change {
        let Ruleset {
            sets,
            chains,
            local: now,
        } = &self.ruleset;
        let new_sets = std::mem::take(&mut self.new_sets).into_iter();
        let new_chains = std::mem::take(&mut self.new_chains).into_iter();
        let mut elements = std::mem::take(&mut self.elements);
        elements.retain(|_, it| *it != ElementChange::default());
        let local = std::mem::take(&mut self.local_before).into_iter();
        let local = local.map(|(address, before)| (address, (before, now.get(&address).cloned())));
        Change {
            added_sets: new_sets
                .filter_map(|id| Some((id, sets.get(&id)?.clone())))
                .collect(),
            elements,
            added_chains: new_chains
                .filter_map(|id| Some((id, chains.get(&id)?.clone())))
                .collect(),
            local: local
                .filter(|(_, (before, after))| before != after)
                .collect(),
            removed_chains: std::mem::take(&mut self.removed_chains),
            removed_sets: std::mem::take(&mut self.removed_sets),
        }
    }
}
