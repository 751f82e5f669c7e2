//! The tests of the model. Each checks every reachable state, and prints how many there are
//! (`--nocapture`).

use stateright::{Checker, Model};

use crate::model::properties::{HEARD, OVERWRITTEN, ROBBED, SHARED};
use crate::model::{Accidents, Protocol, Without};

/// Three nodes with one machine each.
const THREE: &[usize] = &[0, 1, 2];
/// The first of three nodes has two machines.
const TWO_OF_ONE_NAME: &[usize] = &[0, 1, 2, 0];

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

/// Like [`model`], but machines may run while their name is forgotten or taken over.
fn careless(machines: &'static [usize], accidents: Accidents) -> Protocol {
    Protocol {
        careless: true,
        ..calm(machines, accidents)
    }
}

/// The requests of killed processes, and those without a reply, may arrive during later operations.
#[test]
fn subnet_is_not_shared_after_kills_and_lost_replies() {
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
fn subnet_is_not_shared_after_a_take_over() {
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

/// While it was off, the machine's node may have been forgotten, or its name taken over.
#[test]
fn subnet_is_not_shared_after_reboot_and_forget() {
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

/// A request to give a subnet back may arrive after the node adopted the subnet again.
#[test]
fn subnet_is_not_shared_when_nodes_grow_and_give_back() {
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

/// A machine that is cut off from etcd cannot know. Its next renewal ends the sharing.
#[test]
fn cut_off_machine_shares_a_lost_subnet_until_it_renews() {
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

/// A machine that boots while etcd is away cannot know either. Its next renewal ends the sharing.
#[test]
fn forgotten_machine_shares_only_if_etcd_is_away_at_boot() {
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

/// Only the node that made a claim can know of it if the backup does not contain it. The subnet may
/// be shared from the restoration until that node's next renewal.
#[test]
fn subnet_is_shared_after_a_restore_until_the_loser_renews() {
    check(&calm(
        THREE,
        Accidents {
            restores: 1,
            ..Accidents::default()
        },
    ));
}

fn assert_breaks(protocol: &Protocol, without: Without, properties: &[&'static str]) {
    for property in properties {
        let protocol = Protocol {
            without,
            ..protocol.clone()
        };
        // Stop when the property is violated: a model without that part has infinitely many states.
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
fn check_fails_without_the_condition_of_absent_claims() {
    let accidents = Accidents::default();
    let protocol = calm(THREE, accidents);
    breaks(&protocol, Without::AbsentClaim, &[OVERWRITTEN, SHARED]);
}

#[test]
fn check_fails_without_the_condition_of_an_unchanged_record() {
    let accidents = Accidents {
        forgets: 1,
        ..Accidents::default()
    };
    breaks(&careless(TWINS, accidents), Without::SameRecord, &[HEARD]);
}

#[test]
fn check_fails_for_take_over_from_a_present_machine() {
    let accidents = Accidents {
        silences: 1,
        ..Accidents::default()
    };
    let protocol = careless(TWINS, accidents);
    breaks(&protocol, Without::AbsentPresence, &[ROBBED]);
}

#[test]
fn check_fails_if_adopted_claims_are_not_rewritten() {
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
fn check_fails_if_a_booted_machine_does_not_renew_first() {
    let accidents = Accidents {
        reboots: 1,
        forgets: 1,
        ..Accidents::default()
    };
    breaks(&calm(THREE, accidents), Without::Asking, &[SHARED]);
}
