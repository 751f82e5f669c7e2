//! Runs the product's decisions on a state of the model.

use std::cell::RefCell;
use std::collections::HashMap;

use super::machine::{Operation, Progress};
use super::request::StoreRequest;
use super::store::{
    NodeSight, SubnetSet, address_of, list, machine_id, machine_of, name, pod_cidr, set, subnet,
};
use crate::error::Error;
use crate::protocol::{self, Attempts, Claimant, Commit, Goal, NextStep};
use crate::session::Session;

/// Everything that a decision depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct DecisionInput {
    pub(super) session: u8,
    /// Whether this session has held the name.
    pub(super) has_held: bool,
    /// Whether all machines of a node have one machine id.
    pub(super) are_clones: bool,
    pub(super) node: usize,
    pub(super) operation: Operation,
    pub(super) file: SubnetSet,
    pub(super) pending: SubnetSet,
    pub(super) races: u8,
    pub(super) sight: NodeSight,
}

thread_local! {
    /// A cache: there are few different inputs, and each occurs in many of a million states.
    static CACHE: RefCell<HashMap<DecisionInput, Progress>> = RefCell::default();
}

/// The product's decision for this input.
pub(super) fn of(input: DecisionInput) -> Progress {
    let known = CACHE.with_borrow(|known| known.get(&input).cloned());
    known.unwrap_or_else(|| {
        let progress = decide(&input);
        CACHE.with_borrow_mut(|known| known.insert(input, progress.clone()));
        progress
    })
}

fn decide(at: &DecisionInput) -> Progress {
    let (node, machine) = (name(at.node), machine_of(at.session));
    let id = machine_id(machine, at.are_clones);
    let addresses = vec![address_of(machine)];
    let session = Session::new(&at.session.to_string(), at.has_held, addresses);
    let claimant = Claimant {
        node,
        machine: &id,
        session: Some(&session),
        addresses: None,
    };
    let file = list(at.file);
    let goal = match at.operation {
        Operation::Register => Goal::Name,
        Operation::Renew => Goal::Subnets { keep: &file },
        Operation::Grow => Goal::Further {
            pod_cidr: pod_cidr(),
            known: Some(&file),
        },
        Operation::GiveBack(n) => return release(at, claimant, n),
    };
    let attempts = Attempts {
        pending: list(at.pending),
        written: Vec::new(),
        races: at.races.into(),
    };
    let view = at.sight.view(at.are_clones);
    match protocol::next_step(&view, claimant, goal, &attempts) {
        Ok(step) => carry(at.operation, claimant, step),
        // Another machine has the name, and with it the subnets.
        Err(Error::NodeTaken { .. }) => Progress::Decided(Operation::Renew, SubnetSet::default()),
        Err(Error::Exhausted { .. }) if at.operation == Operation::Renew => {
            // Subnets that other nodes own are not handed out from any more.
            let goal = Goal::Kept { keep: &file };
            let kept = protocol::next_step(&view, claimant, goal, &attempts);
            carry(Operation::Renew, claimant, kept.expect("nothing is chosen"))
        }
        Err(Error::Exhausted { .. }) => Progress::Idle,
        Err(error) => unreachable!("{error}"),
    }
}

fn carry(operation: Operation, claimant: Claimant<'_>, step: NextStep) -> Progress {
    match step {
        NextStep::Commit(commit) => {
            assert!(commit.is_all, "there are two subnets");
            let Commit { outcome, .. } = &commit;
            Progress::Waiting(
                operation,
                StoreRequest::of(&commit.transaction(claimant.node)),
                set(outcome),
            )
        }
        NextStep::Done(subnets) => Progress::Decided(operation, set(&subnets)),
    }
}

fn release(at: &DecisionInput, claimant: Claimant<'_>, n: usize) -> Progress {
    match protocol::release(&at.sight.claim_view(n, at.are_clones), claimant, &subnet(n)) {
        Ok(Some(transaction)) => Progress::Waiting(
            at.operation,
            StoreRequest::of(&transaction),
            SubnetSet::default(),
        ),
        Ok(None) | Err(Error::NotOwned { .. } | Error::NodeTaken { .. }) => Progress::Idle,
        Err(error) => unreachable!("{error}"),
    }
}
