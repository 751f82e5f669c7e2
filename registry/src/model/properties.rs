//! What must hold in every state, and what must be reached in some.

use stateright::Property;

use super::machine::{Look, MACHINES, Machine, node_of};
use super::store::{NODES, SUBNETS};
use super::{Protocol, State, Without};

pub(super) const SHARED: &str = "no two machines hand out from one subnet";
pub(super) const HEARD: &str = "who has looked hands out from nothing but its own";
pub(super) const OVERWRITTEN: &str = "no claim is overwritten";
pub(super) const ROBBED: &str = "no name is taken from a machine that is present";

pub(super) fn all(protocol: &Protocol) -> Vec<Property<Protocol>> {
    let mut all = vec![
        Property::always(HEARD, |_, state: &State| {
            (0..MACHINES).all(|m| is_honest(state, m))
        }),
        Property::always(OVERWRITTEN, |_, state: &State| !state.overwritten),
        Property::always(ROBBED, |_, state: &State| !state.robbed),
        Property::sometimes(
            "every subnet is claimed, by two nodes",
            |_, state: &State| {
                state.store.claims.iter().all(Option::is_some)
                    && state.store.claims[0] != state.store.claims[1]
            },
        ),
        Property::sometimes(
            "another machine takes over a name and its subnet",
            |_, state: &State| {
                state.store.holder(0) == Some(MACHINES - 1)
                    && state.machines[MACHINES - 1].heard
                    && state.machines[0].is_gone
            },
        ),
    ];
    if protocol.without == Without::Nothing {
        all.push(Property::always(
            "one look in peace brings file and registry together",
            |_, state: &State| (0..MACHINES).all(|m| one_look_is_enough(state, m)),
        ));
    }
    if protocol.accidents.forgets > 0 {
        all.push(Property::sometimes(
            "the subnets of a forgotten node are claimed anew",
            |model: &Protocol, state: &State| {
                let forgot = state.left.forgets < model.accidents.forgets;
                forgot
                    && state.store.claims.iter().all(Option::is_some)
                    && (0..NODES.len()).any(|node| state.store.holder(node).is_none())
            },
        ));
    }
    let is_calm = protocol.careful && protocol.accidents.restores == 0;
    all.push(if is_calm {
        Property::always(SHARED, |_, state: &State| shared(state).is_empty())
    } else {
        Property::sometimes(
            "two machines hand out from one subnet for a while",
            |_, state: &State| !shared(state).is_empty(),
        )
    });
    all
}

/// The pairs of machines that hand out from one subnet.
fn shared(state: &State) -> Vec<(usize, usize)> {
    let users = |n: usize| (0..MACHINES).filter(move |m| state.machines[*m].file[n]);
    (0..SUBNETS.len())
        .flat_map(|n| {
            users(n).flat_map(move |a| users(n).filter(move |b| a < *b).map(move |b| (a, b)))
        })
        .collect()
}

/// It has not looked since the registry changed under it, or the registry has all of its file. Two
/// that share a subnet are thus never both honest: at least one of them has yet to look.
fn is_honest(state: &State, m: usize) -> bool {
    let machine = &state.machines[m];
    let owned = state.store.owned_by(node_of(m));
    let holds = state.store.holder(node_of(m)) == Some(m);
    !machine.heard || (0..SUBNETS.len()).all(|n| !machine.file[n] || (owned[n] && holds))
}

/// Lets one machine look while nothing else happens. Whatever it and others were doing before, it
/// then hands out from what the registry has for it, all of it and nothing else: no claim is leaked,
/// none of another node is adopted, and nothing is handed out from a subnet that was lost.
fn one_look_is_enough(state: &State, m: usize) -> bool {
    if !state.machines[m].is_on {
        return true;
    }
    let mut alone = state.clone();
    let claims = alone.store.claims;
    alone.machines[m].crash();
    alone.machines[m].look(m, &state.store);
    while let Look::Asked(request) = alone.machines[m].look.clone() {
        let done = alone.carry_out(m, &request, Without::Nothing);
        let store = alone.store.clone();
        alone.machines[m].answered(m, &request, done, &store);
    }
    Machine::store(&mut alone.machines[m]);
    let node = node_of(m);
    let expected = if alone.store.holder(node) == Some(m) {
        alone.store.owned_by(node)
    } else {
        Default::default()
    };
    let kept = claims
        .iter()
        .zip(alone.store.claims)
        .all(|(before, now)| before.is_none() || *before == now);
    kept && alone.machines[m].file == expected
}
