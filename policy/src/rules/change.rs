//! The difference of two rulesets, element by element.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{ChainId, LocalAddress, PeerSet, RuleChain, Ruleset, SetElement, SetId};

/// What changes. The fields are in an order in which one transaction can apply them: nothing refers to
/// what is not there yet, and nothing is removed that is referred to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// New sets, with their elements.
    pub added_sets: BTreeMap<SetId, PeerSet>,
    /// Elements of sets that were there before and stay.
    pub elements: BTreeMap<SetId, ElementChange>,
    /// New chains. In the order of their numbers, each comes after the chain that continues it. A
    /// chain never changes: a pod gets another one.
    pub added_chains: BTreeMap<ChainId, RuleChain>,
    /// Addresses of local pods: what there was, and what there is. The two differ.
    pub local: BTreeMap<IpAddr, (Option<LocalAddress>, Option<LocalAddress>)>,
    /// Chains that no pod uses any more. In reverse, each comes before the chain that continues it.
    pub removed_chains: BTreeSet<ChainId>,
    /// Sets to which no chain refers any more.
    pub removed_sets: BTreeMap<SetId, PeerSet>,
}

/// Elements that come and go. None is in both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ElementChange {
    /// Elements that were not there.
    pub added: BTreeSet<SetElement>,
    /// Elements that were there.
    pub removed: BTreeSet<SetElement>,
}

impl Change {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Ruleset {
    /// Applies a change that was made for this ruleset.
    pub fn apply(&mut self, change: &Change) {
        for (id, set) in &change.added_sets {
            self.sets.insert(*id, set.clone());
        }
        for (id, of_set) in &change.elements {
            if let Some(elements) = self.sets.get_mut(id).and_then(PeerSet::elements_mut) {
                for element in &of_set.removed {
                    elements.remove(element);
                }
                elements.extend(&of_set.added);
            }
        }
        for (id, chain) in &change.added_chains {
            self.chains.insert(*id, chain.clone());
        }
        for (address, (_, after)) in &change.local {
            match after {
                Some(local) => self.local.insert(*address, local.clone()),
                None => self.local.remove(address),
            };
        }
        self.chains
            .retain(|id, _| !change.removed_chains.contains(id));
        self.sets
            .retain(|id, _| !change.removed_sets.contains_key(id));
    }
}
