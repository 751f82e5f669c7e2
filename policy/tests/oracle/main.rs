//! Random clusters and policies, one event after the other. What the engine says of every connection is
//! compared with a second evaluator, which knows the text of the API and nothing of the engine; with an
//! engine that is told only the outcome of the events; and with what its changes add up to.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod cluster_policies;
mod evaluate;
mod generate;
mod parts;
mod world;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

use policy::api::L4Protocol;
use policy::compile::{Engine, PolicyEvent};
use policy::rules::{PodConnection, PodName, Ruleset, TrafficDirection};
use proptest::test_runner::{RngSeed, TestCaseError, TestRunner};

use crate::world::OracleWorld;

/// What connections go to, with ports of the generated policies and pods, and others.
const TARGETS: [(L4Protocol, u16); 6] = [
    (L4Protocol::Tcp, 80),
    (L4Protocol::Tcp, 8080),
    (L4Protocol::Udp, 80),
    (L4Protocol::Udp, 53),
    (L4Protocol::Sctp, 9000),
    (L4Protocol::Other(1), 0),
];

#[test]
fn random_events_give_what_the_api_says() {
    let mut config = proptest::test_runner::Config {
        failure_persistence: None,
        ..Default::default()
    };
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => RandomState::new().build_hasher().finish(),
    };
    config.rng_seed = RngSeed::Fixed(seed);
    let run = |events: Vec<PolicyEvent>| check(&events);
    let result = TestRunner::new(config).run(&generate::events(), run);
    if let Err(failure) = result {
        panic!("PROPTEST_RNG_SEED={seed}: {failure}");
    }
}

fn check(events: &[PolicyEvent]) -> Result<(), TestCaseError> {
    let (mut engine, mut world) = (Engine::default(), OracleWorld::default());
    let mut applied = Ruleset::default();
    for (at, event) in events.iter().enumerate() {
        let change = engine.apply(event.clone());
        world.apply(event.clone());
        applied.apply(&change);
        same(&applied, engine.ruleset(), || {
            format!("changes up to event {at}")
        })?;
        check_references(engine.ruleset())?;
        // Every few events, and at the end: comparing all connections takes long.
        if at % 4 == 3 || at + 1 == events.len() {
            check_verdicts(&world, engine.ruleset(), at)?;
            check_explanations(&world, &engine, at)?;
        }
    }
    let mut fresh = Engine::default();
    fresh.apply_all(world.events());
    check_verdicts(&world, fresh.ruleset(), events.len())?;
    let size = |ruleset: &Ruleset| (ruleset.sets.len(), ruleset.chains.len());
    same(&size(fresh.ruleset()), &size(engine.ruleset()), || {
        "sets and chains".to_owned()
    })
}

/// Everything that is referred to is there, and everything that is there is referred to.
fn check_references(ruleset: &Ruleset) -> Result<(), TestCaseError> {
    use policy::rules::{ChainEnd, ChainRule, PodChain};
    use std::collections::BTreeSet;
    let rules = ruleset.chains.values().flat_map(|chain| chain.rules.iter());
    let sets: BTreeSet<_> = rules.flat_map(ChainRule::sets).collect();
    same(&sets, &ruleset.sets.keys().copied().collect(), || {
        "sets".to_owned()
    })?;
    let of_pods = ruleset
        .local
        .values()
        .flat_map(|it| [it.egress, it.ingress]);
    let of_pods = of_pods.filter_map(|it| match it {
        PodChain::Chain(id) => Some(id),
        _ => None,
    });
    let next = ruleset
        .chains
        .iter()
        .filter_map(|(id, chain)| match chain.end {
            ChainEnd::Continue(next) => {
                assert!(next < *id);
                Some(next)
            }
            _ => None,
        });
    let chains: BTreeSet<_> = of_pods.chain(next).collect();
    same(&chains, &ruleset.chains.keys().copied().collect(), || {
        "chains".to_owned()
    })
}

fn check_verdicts(world: &OracleWorld, ruleset: &Ruleset, at: usize) -> Result<(), TestCaseError> {
    for (source, destination) in pairs(&generate::addresses()) {
        for (protocol, port) in TARGETS {
            let connection = PodConnection {
                source,
                destination,
                protocol,
                port,
            };
            let verdict = ruleset.verdict(&connection);
            for direction in TrafficDirection::ALL {
                let found = verdict.direction(direction);
                let expected = world.verdict(direction, &connection);
                same(&found.map(|it| it.is_allowed), &expected, || {
                    format!("event {at}: {connection:?} {direction}: {found:?}\n{ruleset}")
                })?;
            }
        }
    }
    Ok(())
}

fn check_explanations(
    world: &OracleWorld,
    engine: &Engine,
    at: usize,
) -> Result<(), TestCaseError> {
    let names: Vec<_> = world
        .pods
        .keys()
        .map(|(namespace, name)| PodName::new(namespace, name))
        .collect();
    for (source, destination) in names
        .iter()
        .flat_map(|it| names.iter().map(move |to| (it, to)))
    {
        for (protocol, port) in TARGETS {
            let found = engine.explain(source, destination, protocol, port);
            for explanation in found.into_iter().flatten() {
                let ends = [source, destination];
                let expected = world.between(ends, &explanation.connection);
                let found = [&explanation.egress, &explanation.ingress];
                same(&found.map(|it| it.verdict.is_allowed), &expected, || {
                    format!(
                        "event {at}: {source} to {destination} {protocol} {port}\n{explanation}"
                    )
                })?;
            }
        }
    }
    Ok(())
}

fn pairs(addresses: &[IpAddr]) -> Vec<(IpAddr, IpAddr)> {
    let all = addresses
        .iter()
        .flat_map(|it| addresses.iter().map(move |to| (*it, *to)));
    all.filter(|(from, to)| from.is_ipv4() == to.is_ipv4())
        .collect()
}

fn same<T: PartialEq + std::fmt::Debug>(
    found: &T,
    expected: &T,
    what: impl FnOnce() -> String,
) -> Result<(), TestCaseError> {
    if found == expected {
        return Ok(());
    }
    Err(TestCaseError::fail(format!(
        "{}\nfound {found:?}\nexpected {expected:?}",
        what()
    )))
}
