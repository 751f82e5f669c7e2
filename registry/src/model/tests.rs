use stateright::{Checker, Model};

use super::properties::{HEARD, OVERWRITTEN, ROBBED, SHARED};
use super::{Accidents, Protocol, Without};

/// As many states, breadth first: every run of about a dozen steps is among them.
const MOST: usize = 100_000;

/// One machine is gone for good, so that another may take its name.
const FEW: Accidents = Accidents {
    crashes: 0,
    vanishings: 1,
    losses: 0,
    forgets: 0,
    restores: 0,
    silences: 0,
};

fn protocol(accidents: Accidents, careful: bool) -> Protocol {
    Protocol {
        accidents,
        without: Without::Nothing,
        careful,
    }
}

fn check(protocol: Protocol) {
    let checker = protocol
        .checker()
        .threads(2)
        .target_state_count(MOST)
        .spawn_bfs()
        .join();
    checker.assert_properties();
}

/// A node is forgotten, or its name given to another machine, only once its machine is gone.
#[test]
fn no_two_machines_hand_out_from_one_subnet() {
    let accidents = Accidents {
        losses: 1,
        forgets: 1,
        ..FEW
    };
    check(protocol(accidents, true));
}

/// What a killed process sent may arrive when the next one has long begun.
#[test]
fn no_two_machines_hand_out_from_one_subnet_though_processes_are_killed() {
    let accidents = Accidents { crashes: 2, ..FEW };
    check(protocol(accidents, true));
}

/// A machine that is cut off cannot know. It stops with its first look.
#[test]
fn a_machine_that_lost_its_name_or_subnet_unheard_shares_it_until_it_looks() {
    let accidents = Accidents {
        losses: 1,
        forgets: 1,
        silences: 1,
        ..FEW
    };
    check(protocol(accidents, false));
}

/// Nobody can know of a claim that the backup does not have but the node that made it. The window
/// is from the restoration until that node has looked.
#[test]
fn after_a_restored_backup_a_subnet_is_shared_until_who_lost_it_looks() {
    let accidents = Accidents { restores: 1, ..FEW };
    check(protocol(accidents, true));
}

fn breaks(without: Without, accidents: Accidents, careful: bool, property: &'static str) {
    let protocol = Protocol {
        without,
        ..protocol(accidents, careful)
    };
    let checker = protocol
        .checker()
        .threads(2)
        .target_state_count(MOST)
        .spawn_bfs()
        .join();
    assert!(
        checker.discovery(property).is_some(),
        "{without:?} breaks nothing"
    );
}

#[test]
fn the_check_fails_for_claims_that_need_not_be_absent() {
    breaks(Without::AbsentClaim, FEW, true, OVERWRITTEN);
    breaks(Without::AbsentClaim, FEW, true, SHARED);
}

#[test]
fn the_check_fails_for_requests_of_a_machine_that_lost_the_name() {
    let accidents = Accidents {
        vanishings: 0,
        forgets: 1,
        ..FEW
    };
    breaks(Without::SameRecord, accidents, false, HEARD);
}

#[test]
fn the_check_fails_for_a_take_over_while_the_other_machine_is_present() {
    let accidents = Accidents { silences: 1, ..FEW };
    breaks(Without::AbsentPresence, accidents, false, ROBBED);
}
