//! The tests of the model. Each checks every reachable state, and prints how many there are
//! (`--nocapture`).

use stateright::{Checker, Model};

use crate::model::properties::{CURRENT_IS_CORRECT, OVERWRITTEN, SHARED, TOOK_PRESENT_NAME};
use crate::model::{Faults, Protocol, Without};

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
        protocol.faults
    );
    assert!(checker.is_done());
    checker.assert_properties();
}

fn model(machines: &'static [usize], faults: Faults) -> Protocol {
    Protocol {
        machines,
        faults,
        ..Protocol::default()
    }
}

/// Like [`model`], but machines may run while their name is forgotten or taken over.
fn stale_machines(machines: &'static [usize], faults: Faults) -> Protocol {
    Protocol {
        stale_machines: true,
        ..model(machines, faults)
    }
}

/// The requests of killed processes, and those without a reply, may arrive during later operations.
#[test]
fn subnet_is_not_shared_after_kills_and_lost_replies() {
    check(&model(
        THREE,
        Faults {
            crashes: 1,
            lost_replies: 1,
            ..Faults::default()
        },
    ));
}

#[test]
fn subnet_is_not_shared_after_a_take_over() {
    for (crashes, lost_replies) in [(1, 0), (0, 1)] {
        check(&model(
            TWO_OF_ONE_NAME,
            Faults {
                machine_losses: 1,
                crashes,
                lost_replies,
                ..Faults::default()
            },
        ));
    }
}

/// While it was off, the machine's node may have been forgotten, or its name taken over.
#[test]
fn subnet_is_not_shared_after_reboot_and_forget() {
    check(&model(
        THREE,
        Faults {
            reboots: 1,
            forgets: 1,
            crashes: 1,
            ..Faults::default()
        },
    ));
    check(&model(
        &[0, 1, 0],
        Faults {
            reboots: 1,
            forgets: 1,
            machine_losses: 1,
            ..Faults::default()
        },
    ));
}

/// A request to give a subnet back may arrive after the node adopted the subnet again.
#[test]
fn subnet_is_not_shared_when_nodes_grow_and_give_back() {
    check(&model(
        THREE,
        Faults {
            growths: 1,
            give_backs: 1,
            crashes: 1,
            ..Faults::default()
        },
    ));
    check(&model(
        &[0, 1],
        Faults {
            growths: 2,
            give_backs: 2,
            crashes: 2,
            ..Faults::default()
        },
    ));
    check(&model(
        &[0, 1],
        Faults {
            growths: 1,
            give_backs: 1,
            lost_replies: 1,
            reboots: 1,
            ..Faults::default()
        },
    ));
}

/// A machine that is cut off from etcd cannot know. Its next renewal ends the sharing.
#[test]
fn cut_off_machine_shares_a_lost_subnet_until_it_renews() {
    check(&stale_machines(
        THREE,
        Faults {
            forgets: 1,
            partitions: 1,
            ..Faults::default()
        },
    ));
    check(&stale_machines(
        TWO_OF_ONE_NAME,
        Faults {
            partitions: 1,
            ..Faults::default()
        },
    ));
}

/// A machine that boots while etcd is away cannot know either. Its next renewal ends the sharing.
#[test]
fn forgotten_machine_shares_only_if_etcd_is_away_at_boot() {
    check(&model(
        THREE,
        Faults {
            reboots: 1,
            forgets: 1,
            outages: 1,
            ..Faults::default()
        },
    ));
}

/// Only the node that made a claim can know of it if the backup does not contain it. The subnet may
/// be shared from the restoration until that node's next renewal.
#[test]
fn subnet_is_shared_after_a_restore_until_the_loser_renews() {
    check(&model(
        THREE,
        Faults {
            restores: 1,
            ..Faults::default()
        },
    ));
}

/// Two machines of one machine id and one name, started at once or one after the other: the second
/// gets nothing while the first is present.
#[test]
fn clone_gets_no_subnet_while_the_first_is_present() {
    check(&clones(Faults {
        machine_losses: 1,
        crashes: 1,
        ..Faults::default()
    }));
    check(&clones(Faults {
        lost_replies: 1,
        ..Faults::default()
    }));
    check(&clones(Faults {
        reboots: 1,
        ..Faults::default()
    }));
}

/// A machine that is cut off from etcd cannot know that its clone was switched on.
#[test]
fn cut_off_clone_shares_a_subnet_until_it_renews() {
    check(&clones(Faults {
        partitions: 1,
        ..Faults::default()
    }));
}

fn clones(faults: Faults) -> Protocol {
    Protocol {
        are_clones: true,
        ..stale_machines(&[0, 1, 0], faults)
    }
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
    let faults = Faults::default();
    let protocol = model(THREE, faults);
    assert_breaks(&protocol, Without::AbsentClaim, &[OVERWRITTEN, SHARED]);
}

#[test]
fn check_fails_without_the_condition_of_an_unchanged_record() {
    let faults = Faults {
        forgets: 1,
        ..Faults::default()
    };
    assert_breaks(
        &stale_machines(TWO_OF_ONE_NAME, faults),
        Without::SameRecord,
        &[CURRENT_IS_CORRECT],
    );
}

#[test]
fn check_fails_for_take_over_from_a_present_machine() {
    let faults = Faults {
        partitions: 1,
        ..Faults::default()
    };
    let protocol = stale_machines(TWO_OF_ONE_NAME, faults);
    assert_breaks(&protocol, Without::SamePresence, &[TOOK_PRESENT_NAME]);
}

#[test]
fn check_fails_if_adopted_claims_are_not_rewritten() {
    let faults = Faults {
        growths: 1,
        give_backs: 1,
        crashes: 1,
        ..Faults::default()
    };
    let protocol = model(&[0, 1], faults);
    assert_breaks(&protocol, Without::Rewriting, &[CURRENT_IS_CORRECT, SHARED]);
}

#[test]
fn check_fails_if_a_booted_machine_does_not_renew_first() {
    let faults = Faults {
        reboots: 1,
        forgets: 1,
        ..Faults::default()
    };
    assert_breaks(&model(THREE, faults), Without::RenewalAtBoot, &[SHARED]);
}
