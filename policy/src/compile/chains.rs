//! Which chains there are: equal ones are one.

use std::collections::{BTreeSet, HashMap};

use super::draft::Draft;
use super::sets::SetTable;
use crate::cluster::Cluster;
use crate::rules::{ChainEnd, ChainId, ChainRule, PodChain, RuleChain, SetId};

/// The chains.
#[derive(Debug, Default)]
pub(super) struct ChainTable {
    by_content: HashMap<RuleChain, ChainId>,
    /// How many groups and other chains use each.
    uses: HashMap<ChainId, (RuleChain, usize)>,
    next: u32,
}

impl ChainTable {
    /// The chain with this content, used once more. A new one refers to its sets, and uses the chain
    /// that continues it, which the caller has acquired for it.
    pub(super) fn acquire(
        &mut self,
        chain: RuleChain,
        cluster: &mut Cluster,
        sets: &mut SetTable,
        draft: &mut Draft,
    ) -> ChainId {
        if let Some(id) = self.by_content.get(&chain).copied() {
            if let Some((_, uses)) = self.uses.get_mut(&id) {
                *uses += 1;
            }
            if let ChainEnd::Continue(next) = chain.end {
                // The chain that was there uses it already.
                self.release(PodChain::Chain(next), cluster, sets, draft);
            }
            return id;
        }
        let id = ChainId(self.next);
        self.next += 1;
        for set in sets_in(&chain) {
            sets.acquire(set);
        }
        draft.add_chain(id, chain.clone());
        self.by_content.insert(chain.clone(), id);
        self.uses.insert(id, (chain, 1));
        id
    }

    /// Uses a chain once more.
    pub(super) fn share(&mut self, chain: PodChain) {
        if let PodChain::Chain(id) = chain
            && let Some((_, uses)) = self.uses.get_mut(&id)
        {
            *uses += 1;
        }
    }

    /// Ends one use, and removes the chain with the last, and its sets and what continues it likewise.
    pub(super) fn release(
        &mut self,
        chain: PodChain,
        cluster: &mut Cluster,
        sets: &mut SetTable,
        draft: &mut Draft,
    ) {
        let mut next = Some(chain);
        while let Some(PodChain::Chain(id)) = next.take() {
            let Some((_, uses)) = self.uses.get_mut(&id) else {
                return;
            };
            *uses -= 1;
            if *uses > 0 {
                return;
            }
            if let Some((content, _)) = self.uses.remove(&id) {
                self.by_content.remove(&content);
                draft.remove_chain(id);
                for set in sets_in(&content) {
                    sets.release(set, cluster, draft);
                }
                if let ChainEnd::Continue(id) = content.end {
                    next = Some(PodChain::Chain(id));
                }
            }
        }
    }
}

fn sets_in(chain: &RuleChain) -> BTreeSet<SetId> {
    chain.rules.iter().flat_map(ChainRule::sets).collect()
}
