//! Runs the product's decisions on a state of the model.

use std::cell::RefCell;
use std::collections::HashMap;

use super::machine::{Aim, Look};
use super::request::Request;
use super::store::{Sight, Subnets, list, name, pod_cidr, set, subnet};
use crate::error::Error;
use crate::protocol::{self, Attempts, Claimant, Commit, Goal, NextStep};

/// Everything that a decision depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Situation {
    pub(super) machine: usize,
    pub(super) node: usize,
    pub(super) aim: Aim,
    pub(super) file: Subnets,
    pub(super) pending: Subnets,
    pub(super) races: u8,
    pub(super) sight: Sight,
}

thread_local! {
    /// A cache: there are few different inputs, and each occurs in many of a million states.
    static KNOWN: RefCell<HashMap<Situation, Look>> = RefCell::default();
}

/// The product's decision for this input.
pub(super) fn of(situation: Situation) -> Look {
    let known = KNOWN.with_borrow(|known| known.get(&situation).cloned());
    known.unwrap_or_else(|| {
        let look = decide(&situation);
        KNOWN.with_borrow_mut(|known| known.insert(situation, look.clone()));
        look
    })
}

fn decide(at: &Situation) -> Look {
    let (node, id) = (name(at.node), at.machine.to_string());
    let me = Claimant {
        node,
        machine: &id,
        addresses: None,
    };
    let file = list(at.file);
    let want = match at.aim {
        Aim::Renew => Goal::Subnets { keep: &file },
        Aim::Grow => Goal::Further {
            pod_cidr: pod_cidr(),
            known: Some(&file),
        },
        Aim::GiveBack(n) => return release(at, me, n),
    };
    let tried = Attempts {
        pending: list(at.pending),
        written: Vec::new(),
        races: at.races.into(),
    };
    match protocol::next_step(&at.sight.view(), me, want, &tried) {
        Ok(step) => carry(at.aim, me, step),
        // Another machine has the name, and with it the subnets.
        Err(Error::NodeTaken { .. }) => Look::Answered(Aim::Renew, Subnets::default()),
        Err(Error::Exhausted { .. }) if at.aim == Aim::Renew => {
            // Subnets that other nodes own are not handed out from any more.
            let want = Goal::Kept { keep: &file };
            let kept = protocol::next_step(&at.sight.view(), me, want, &tried);
            carry(Aim::Renew, me, kept.expect("nothing is chosen"))
        }
        Err(Error::Exhausted { .. }) => Look::Idle,
        Err(error) => unreachable!("{error}"),
    }
}

fn carry(aim: Aim, me: Claimant<'_>, step: NextStep) -> Look {
    match step {
        NextStep::Commit(commit) => {
            assert!(commit.is_all, "there are two subnets");
            let Commit { outcome, .. } = &commit;
            Look::Asked(aim, Request::of(&commit.transaction(me.node)), set(outcome))
        }
        NextStep::Done(subnets) => Look::Answered(aim, set(&subnets)),
    }
}

fn release(at: &Situation, me: Claimant<'_>, n: usize) -> Look {
    match protocol::release(&at.sight.claim_view(n), me, &subnet(n)) {
        Ok(Some(transaction)) => Look::Asked(at.aim, Request::of(&transaction), Subnets::default()),
        Ok(None) | Err(Error::NotOwned { .. } | Error::NodeTaken { .. }) => Look::Idle,
        Err(error) => unreachable!("{error}"),
    }
}
