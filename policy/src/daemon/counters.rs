//! How many packets each policy decided about. Rules come and go with their counters; what they
//! counted stays.

use std::collections::{BTreeMap, BTreeSet};

use policy::rules::{Change, RuleAction, Ruleset, TrafficDirection};
use wire::nft::RuleCounter;

use crate::table::{CountedRule, chain_name, counted_chains, counted_rules};

/// Beyond so many sums, those of policies that are gone are forgotten: whoever may make policies could
/// otherwise fill the memory, and the metrics.
const MAX_TOTALS: usize = 10_000;

/// What was decided, and by which policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CounterKey {
    /// As the log names it; `undecided` for what undecided pods send and are sent.
    pub(crate) policy: String,
    pub(crate) direction: TrafficDirection,
    pub(crate) action: RuleAction,
}

/// Packets by policy, direction and action, since the daemon started.
#[derive(Debug, Default)]
pub(super) struct Counters {
    totals: BTreeMap<CounterKey, u64>,
    /// The chains in the kernel.
    chains: BTreeMap<String, CountedChain>,
}

/// The rules of a chain that count, and what each had counted when it was read last.
#[derive(Debug, Default)]
struct CountedChain {
    rules: Vec<CountedRule>,
    packets: Vec<u64>,
}

impl Counters {
    /// The table was replaced: all rules count from zero.
    pub(super) fn reset(&mut self, ruleset: &Ruleset) {
        self.chains.clear();
        for chain in counted_chains(ruleset) {
            self.add(ruleset, chain);
        }
    }

    /// The table was changed.
    pub(super) fn change(&mut self, ruleset: &Ruleset, change: &Change) {
        for id in &change.removed_chains {
            self.chains.remove(&chain_name(*id));
        }
        for id in change.added_chains.keys() {
            self.add(ruleset, chain_name(*id));
        }
    }

    fn add(&mut self, ruleset: &Ruleset, chain: String) {
        let rules = counted_rules(ruleset, &chain);
        let packets = vec![0; rules.len()];
        self.chains.insert(chain, CountedChain { rules, packets });
    }

    /// Takes in what the rules have counted. Call it before rules are removed.
    pub(super) fn take(&mut self, found: &[RuleCounter]) {
        let mut by_chain: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for counter in found {
            by_chain
                .entry(&counter.chain)
                .or_default()
                .push(counter.packets);
        }
        for (name, chain) in &mut self.chains {
            let packets = by_chain.remove(name.as_str()).unwrap_or_default();
            let counted = chain.rules.iter().zip(&mut chain.packets).zip(packets);
            for ((rule, before), now) in counted {
                let more = now.saturating_sub(*before);
                *before = now;
                if more > 0 {
                    *self.totals.entry(CounterKey::from(rule)).or_default() += more;
                }
            }
        }
        if self.totals.len() > MAX_TOTALS {
            let rules = self.chains.values().flat_map(|chain| &chain.rules);
            let counted: BTreeSet<_> = rules.map(CounterKey::from).collect();
            self.totals.retain(|key, _| counted.contains(key));
        }
    }

    /// The sums.
    pub(super) fn totals(&self) -> &BTreeMap<CounterKey, u64> {
        &self.totals
    }
}

impl From<&CountedRule> for CounterKey {
    fn from(rule: &CountedRule) -> Self {
        Self {
            policy: rule.policy.clone(),
            direction: rule.direction,
            action: rule.action,
        }
    }
}

#[cfg(test)]
mod tests;
