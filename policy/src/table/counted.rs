//! Which rule of a policy each counter in the table belongs to.

use policy::rules::{ChainEnd, RuleAction, Ruleset, TrafficDirection};

use super::rules::match_count;
use super::{NO_CONNECTION, UNDECIDED, chain_id, chain_name, entry_chain};

/// A rule in the kernel that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CountedRule {
    /// The policy, as the log names it.
    pub(crate) policy: String,
    pub(crate) direction: TrafficDirection,
    pub(crate) action: RuleAction,
}

/// The rules that count in a chain of the kernel, in their order. None of a chain that is not there.
pub(crate) fn counted_rules(ruleset: &Ruleset, chain: &str) -> Vec<CountedRule> {
    let mut entries = TrafficDirection::ALL.into_iter();
    if let Some(direction) = entries.find(|it| entry_chain(*it) == chain) {
        let policy = UNDECIDED.to_owned();
        let action = RuleAction::Deny;
        return vec![CountedRule {
            policy,
            direction,
            action,
        }];
    }
    let Some(found) = chain_id(chain).and_then(|id| ruleset.chains.get(&id)) else {
        return Vec::new();
    };
    let direction = found.direction;
    let counted = |policy: String, action| CountedRule {
        policy,
        direction,
        action,
    };
    let started = counted(NO_CONNECTION.to_owned(), RuleAction::Deny);
    let rules = found.rules.iter().flat_map(|rule| {
        let one = counted(rule.source.policy.to_string(), rule.action);
        std::iter::repeat_n(one, match_count(ruleset, rule, direction))
    });
    let end = match &found.end {
        ChainEnd::Deny(policies) => policies.first().map(ToString::to_string),
        ChainEnd::Accept | ChainEnd::Continue(_) => None,
    };
    let end = end.map(|policy| counted(policy, RuleAction::Deny));
    std::iter::once(started).chain(rules).chain(end).collect()
}

/// All chains in the kernel with rules that count.
pub(crate) fn counted_chains(ruleset: &Ruleset) -> Vec<String> {
    let entries = TrafficDirection::ALL.map(|it| entry_chain(it).to_owned());
    let chains = ruleset.chains.keys().map(|id| chain_name(*id));
    entries.into_iter().chain(chains).collect()
}
