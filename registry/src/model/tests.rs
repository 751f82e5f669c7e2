//! Each of these looks at every state that there is, and prints how many (`--nocapture`).

use stateright::{Checker, Model};

use crate::model::properties::{HEARD, OVERWRITTEN, ROBBED, SHARED};
use crate::model::{Accidents, Protocol, Without};

/// Three nodes, of one machine each.
const THREE: &[usize] = &[0, 1, 2];
/// The first of three nodes has two machines.
const TWINS: &[usize] = &[0, 1, 2, 0];

fn check(protocol: &Protocol) {
    let checker = protocol.clone().checker().threads(2).spawn_bfs().join();
    println!(
        "{} states of {:?} with {:?}",
        checker.unique_state_count(),
        protocol.machines,
        protocol.accidents
    );
    assert!(checker.is_done());
    checker.assert_properties();
}

fn calm(machines: &'static [usize], accidents: Accidents) -> Protocol {
    Protocol {
        machines,
        accidents,
        ..Protocol::default()
    }
}

/// As [`calm`], but machines may run while their name is forgotten or taken.
fn careless(machines: &'static [usize], accidents: Accidents) -> Protocol {
    Protocol {
        careless: true,
        ..calm(machines, accidents)
    }
}

/// What a killed process sent, and what was not answered, may arrive when the next one has long
/// begun.
#[test]
fn no_two_machines_share_a_subnet_though_processes_are_killed_and_answers_lost() {
    check(&calm(
        THREE,
        Accidents {
            crashes: 1,
            losses: 1,
            ..Accidents::default()
        },
    ));
}

#[test]
fn no_two_machines_share_a_subnet_though_one_takes_over_the_name_of_another_that_is_gone() {
    for (crashes, losses) in [(1, 0), (0, 1)] {
        check(&calm(
            TWINS,
            Accidents {
                vanishings: 1,
                crashes,
                losses,
                ..Accidents::default()
            },
        ));
    }
}

/// It may have been forgotten while it was off, or another machine have taken its name.
#[test]
fn no_two_machines_share_a_subnet_though_one_is_switched_off_forgotten_and_comes_back() {
    check(&calm(
        THREE,
        Accidents {
            reboots: 1,
            forgets: 1,
            crashes: 1,
            ..Accidents::default()
        },
    ));
    check(&calm(
        &[0, 1, 0],
        Accidents {
            reboots: 1,
            forgets: 1,
            vanishings: 1,
            ..Accidents::default()
        },
    ));
}

/// A request to give a subnet back may arrive when the node has long adopted it again.
#[test]
fn no_two_machines_share_a_subnet_though_nodes_grow_and_give_back() {
    check(&calm(
        THREE,
        Accidents {
            growths: 1,
            returns: 1,
            crashes: 1,
            ..Accidents::default()
        },
    ));
    check(&calm(
        &[0, 1],
        Accidents {
            growths: 2,
            returns: 2,
            crashes: 2,
            ..Accidents::default()
        },
    ));
    check(&calm(
        &[0, 1],
        Accidents {
            growths: 1,
            returns: 1,
            losses: 1,
            reboots: 1,
            ..Accidents::default()
        },
    ));
}

/// A machine that is cut off cannot know. It stops with its first look.
#[test]
fn a_machine_that_lost_its_name_or_subnet_unheard_shares_it_until_it_looks() {
    check(&careless(
        THREE,
        Accidents {
            forgets: 1,
            silences: 1,
            ..Accidents::default()
        },
    ));
    check(&careless(
        TWINS,
        Accidents {
            silences: 1,
            ..Accidents::default()
        },
    ));
}

/// Nor can one that is switched on while etcd is away. It stops with its first look.
#[test]
fn a_machine_that_was_forgotten_while_it_was_off_shares_only_if_it_cannot_ask() {
    check(&calm(
        THREE,
        Accidents {
            reboots: 1,
            forgets: 1,
            outages: 1,
            ..Accidents::default()
        },
    ));
}

/// Nobody can know of a claim that the backup does not have but the node that made it. The window
/// is from the restoration until that node has looked.
#[test]
fn after_a_restored_backup_a_subnet_is_shared_until_who_lost_it_looks() {
    check(&calm(
        THREE,
        Accidents {
            restores: 1,
            ..Accidents::default()
        },
    ));
}

fn breaks(protocol: &Protocol, without: Without, properties: &[&'static str]) {
    for property in properties {
        let protocol = Protocol {
            without,
            ..protocol.clone()
        };
        // Until it is found; a model without that part has states without end.
        let checker = protocol
            .checker()
            .threads(2)
            .target_state_count(1_000_000)
            .finish_when(stateright::HasDiscoveries::AnyOf([*property].into()))
            .spawn_bfs()
            .join();
        let found = checker.discovery(property);
        assert!(found.is_some(), "{without:?} does not break: {property}");
    }
}

#[test]
fn the_check_fails_for_claims_that_need_not_be_absent() {
    let accidents = Accidents::default();
    let protocol = calm(THREE, accidents);
    breaks(&protocol, Without::AbsentClaim, &[OVERWRITTEN, SHARED]);
}

#[test]
fn the_check_fails_for_requests_of_a_machine_that_lost_the_name() {
    let accidents = Accidents {
        forgets: 1,
        ..Accidents::default()
    };
    breaks(&careless(TWINS, accidents), Without::SameRecord, &[HEARD]);
}

#[test]
fn the_check_fails_for_a_take_over_while_the_other_machine_is_present() {
    let accidents = Accidents {
        silences: 1,
        ..Accidents::default()
    };
    let protocol = careless(TWINS, accidents);
    breaks(&protocol, Without::AbsentPresence, &[ROBBED]);
}

#[test]
fn the_check_fails_for_claims_that_are_adopted_as_they_are() {
    let accidents = Accidents {
        growths: 1,
        returns: 1,
        crashes: 1,
        ..Accidents::default()
    };
    let protocol = calm(&[0, 1], accidents);
    breaks(&protocol, Without::Rewriting, &[HEARD, SHARED]);
}

#[test]
fn the_check_fails_for_machines_that_hand_out_before_they_ask() {
    let accidents = Accidents {
        reboots: 1,
        forgets: 1,
        ..Accidents::default()
    };
    breaks(&calm(THREE, accidents), Without::Asking, &[SHARED]);
}
