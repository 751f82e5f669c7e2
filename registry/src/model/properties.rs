//! The properties of the model: what must hold in every state, and what must be reached in some.

use stateright::Property;

use super::machine::{Operation, Progress};
use super::store::SUBNETS;
use super::{ModelState, Protocol, Without};

pub(super) const SHARED: &str = "no two machines hand out addresses of one subnet";
pub(super) const CURRENT_IS_CORRECT: &str =
    "a machine that is up to date hands out only its own subnets";
pub(super) const OVERWRITTEN: &str = "no claim is overwritten";
pub(super) const TOOK_PRESENT_NAME: &str = "no name is taken from a machine that is present";

pub(super) fn all(protocol: &Protocol) -> Vec<Property<Protocol>> {
    let mut all = vec![
        Property::always(CURRENT_IS_CORRECT, |_, state: &ModelState| {
            (0..state.machines.len()).all(|m| is_correct_if_current(state, m))
        }),
        Property::always(OVERWRITTEN, |_, state: &ModelState| !state.overwritten),
        Property::always(TOOK_PRESENT_NAME, |_, state: &ModelState| {
            !state.took_present_name
        }),
        Property::sometimes(
            "the subnets are claimed by two nodes",
            |_, state: &ModelState| {
                state.store.owner(0).is_some()
                    && state.store.owner(1).is_some()
                    && state.store.owner(0) != state.store.owner(1)
            },
        ),
    ];
    if protocol.without == Without::Nothing {
        all.push(Property::always(
            "one undisturbed renewal reconciles file and registry",
            |_, state: &ModelState| {
                (0..state.machines.len()).all(|m| one_renewal_is_enough(state, m))
            },
        ));
    }
    all.extend(reached(protocol));
    let faults = &protocol.faults;
    let may_never_share = (!protocol.stale_machines || protocol.are_clones)
        && faults.partitions + faults.restores + faults.outages == 0;
    all.push(if may_never_share {
        Property::always(SHARED, |_, state: &ModelState| !is_shared(state))
    } else {
        Property::sometimes(
            "two machines hand out addresses of one subnet for a while",
            |_, state: &ModelState| is_shared(state),
        )
    });
    all
}

/// States that the model has to reach; otherwise it proves nothing.
fn reached(protocol: &Protocol) -> Vec<Property<Protocol>> {
    let mut reached = Vec::new();
    let has_two_machines = |node| protocol.machines.iter().filter(|it| **it == node).count() > 1;
    if has_two_machines(0) {
        reached.push(Property::sometimes(
            "another machine takes over a name and its subnet",
            |_, state: &ModelState| {
                let last = state.machines.len() - 1;
                state.store.holder(0) == Some(state.machines[last].session)
                    && state.machines[last].is_current
                    && !state.machines[0].is_on
            },
        ));
    }
    if protocol.faults.forgets > 0 && protocol.machines.contains(&2) {
        reached.push(Property::sometimes(
            "the subnets of a forgotten node are claimed by others",
            |model: &Protocol, state: &ModelState| {
                let forgot = state.left.forgets < model.faults.forgets;
                let unknown =
                    |machine: &super::ModelMachine| state.store.holder(machine.node).is_none();
                forgot
                    && (0..SUBNETS.len()).all(|n| state.store.owner(n).is_some())
                    && state.machines.iter().any(unknown)
            },
        ));
    }
    if protocol.faults.give_backs > 0 {
        reached.push(Property::sometimes(
            "a subnet that was given back is used by another node",
            |model: &Protocol, state: &ModelState| {
                let gave = state.left.give_backs < model.faults.give_backs;
                let users = state.machines.iter().map(super::ModelMachine::handed_out);
                gave && users.filter(|subnets| subnets.contains(&true)).count() == SUBNETS.len()
            },
        ));
    }
    reached
}

/// Whether two machines hand out addresses from one subnet.
fn is_shared(state: &ModelState) -> bool {
    let users = |n: usize| state.machines.iter().filter(move |it| it.handed_out()[n]);
    (0..SUBNETS.len()).any(|n| users(n).count() > 1)
}

/// Either the machine has not renewed since the registry changed without it, or the registry has
/// all subnets of its file. If two machines share a subnet, at least one of them has yet to renew.
fn is_correct_if_current(state: &ModelState, m: usize) -> bool {
    let machine = &state.machines[m];
    let owned = state.store.owned_by(machine.node);
    let holds = state.store.holder(machine.node) == Some(machine.session);
    !machine.is_current || (0..SUBNETS.len()).all(|n| !machine.file[n] || (owned[n] && holds))
}

/// Lets one machine renew while nothing else happens. Whatever it and others were doing before, its
/// file then holds exactly what the registry has for it: no claim is leaked, no claim of another
/// node is adopted, and no address is handed out from a lost subnet.
fn one_renewal_is_enough(state: &ModelState, m: usize) -> bool {
    if !state.machines[m].is_on {
        return true;
    }
    let (mut machine, mut store) = (state.machines[m].clone(), state.store.clone());
    let node = machine.node;
    machine.crash();
    machine.begin(Operation::Renew, &store);
    while let Progress::Waiting(_, request, _) = machine.progress.clone() {
        let done = store.holds(node, &request, Without::Nothing);
        if done {
            store.write(node, machine.session, &request, Without::Nothing);
        }
        machine.receive_reply(done, &store);
    }
    machine.store();
    let expected = if store.holder(node) == Some(machine.session) {
        store.owned_by(node)
    } else {
        Default::default()
    };
    let kept = (0..SUBNETS.len()).all(|n| {
        let before = state.store.owner(n);
        before.is_none() || before == store.owner(n)
    });
    kept && machine.file == expected
}
