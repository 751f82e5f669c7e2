use policy::rules::{ChainEnd, ChainId, PolicyName, RuleChain};

use super::*;

/// A ruleset with a chain that drops everything, because of this policy.
fn ruleset(chains: &[(u32, &str)]) -> Ruleset {
    let chain = |(id, policy): &(u32, &str)| {
        let chain = RuleChain {
            direction: TrafficDirection::Ingress,
            rules: [].into(),
            end: ChainEnd::Deny([PolicyName::Cluster((*policy).into())].into()),
        };
        (ChainId(*id), chain)
    };
    Ruleset {
        chains: chains.iter().map(chain).collect(),
        ..Ruleset::default()
    }
}

/// The counters of a chain as the kernel lists them: that of packets of no connection, and its end's.
fn counted(chain: &str, packets: [u64; 2]) -> Vec<RuleCounter> {
    let counter = |packets| RuleCounter {
        chain: chain.to_owned(),
        comment: None,
        packets,
        bytes: 0,
    };
    packets.map(counter).into()
}

fn total(counters: &Counters, policy: &str) -> u64 {
    let key = CounterKey {
        policy: policy.to_owned(),
        direction: TrafficDirection::Ingress,
        action: RuleAction::Deny,
    };
    counters.totals().get(&key).copied().unwrap_or_default()
}

#[test]
fn packets_add_up_while_chains_come_and_go() {
    let mut counters = Counters::default();
    let one = ruleset(&[(1, "a")]);
    counters.reset(&one);
    counters.take(&counted("c1", [1, 5]));
    counters.take(&counted("c1", [1, 8]));
    assert_eq!(total(&counters, "cnp a"), 8);
    assert_eq!(total(&counters, "no connection"), 1);

    // Another chain of the same policy takes its place.
    let two = ruleset(&[(2, "a")]);
    let change = Change {
        added_chains: two.chains.clone(),
        removed_chains: [ChainId(1)].into(),
        ..Change::default()
    };
    counters.change(&two, &change);
    counters.take(&counted("c2", [0, 2]));
    assert_eq!(total(&counters, "cnp a"), 10);
}

#[test]
fn replaced_table_counts_from_zero() {
    let mut counters = Counters::default();
    let rules = ruleset(&[(1, "a")]);
    counters.reset(&rules);
    counters.take(&counted("c1", [0, 5]));
    counters.reset(&rules);
    counters.take(&counted("c1", [0, 3]));
    assert_eq!(total(&counters, "cnp a"), 8);
    // A chain that is not ours counts for nothing.
    counters.take(&counted("other", [7, 7]));
    assert_eq!(counters.totals().len(), 1);
}

#[test]
fn sums_of_policies_that_are_gone_are_forgotten_when_there_are_very_many() {
    let mut counters = Counters::default();
    for number in 0..=MAX_TOTALS {
        let name = format!("p{number}");
        counters.reset(&ruleset(&[(1, &name)]));
        counters.take(&counted("c1", [0, 1]));
    }
    assert_eq!(counters.totals().len(), 1);
    assert_eq!(total(&counters, &format!("cnp p{MAX_TOTALS}")), 1);
}
