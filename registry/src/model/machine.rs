//! A machine that wants subnets for its node, and hands out from those that its file has.

use super::store::{Request, Store, Subnets, list, name, set};
use crate::error::Error;
use crate::protocol::{self, Me, Step, Want};

/// One for each node, and a second one for the first.
pub(super) const MACHINES: usize = 4;

pub(super) fn node_of(machine: usize) -> usize {
    machine % 3
}

pub(super) fn machine_id(machine: usize) -> String {
    machine.to_string()
}

#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Machine {
    pub(super) is_on: bool,
    pub(super) is_gone: bool,
    /// What it hands out from.
    pub(super) file: Subnets,
    pub(super) look: Look,
    /// Claims of requests whose answer was lost.
    pending: Subnets,
    attempt: u32,
    /// It looked, from beginning to end, since the registry was last changed under it.
    pub(super) heard: bool,
    /// The registry was changed under it since it began to look.
    is_stale: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) enum Look {
    #[default]
    Idle,
    Asked(Request),
    Answered(Subnets),
}

impl Machine {
    /// With its disk.
    pub(super) fn gone() -> Self {
        Self {
            is_gone: true,
            ..Self::default()
        }
    }

    /// Begins to look: reads, and decides.
    pub(super) fn look(&mut self, m: usize, store: &Store) {
        self.is_stale = false;
        self.attempt = 0;
        self.decide(m, store);
    }

    fn decide(&mut self, m: usize, store: &Store) {
        let (node, view) = (node_of(m), store.view(node_of(m)));
        let (name, machine) = (name(node), machine_id(m));
        let me = Me {
            node: &name,
            machine: &machine,
            addresses: None,
        };
        let (keep, pending) = (list(self.file), list(self.pending));
        let want = Want::Subnets { keep: &keep };
        self.look = match protocol::next(&view, me, want, &pending, self.attempt) {
            Ok(Step::Commit(commit)) => Look::Asked(Request::of(node, &commit)),
            Ok(Step::Done(subnets)) => Look::Answered(set(&subnets)),
            // Another machine has the name, and the subnets with it.
            Err(Error::NodeTaken { .. }) => Look::Answered(Subnets::default()),
            // There is none to be had; those that others have are not handed out from any more.
            Err(Error::Exhausted { .. }) => Look::Answered(store.owned_by(node)),
            Err(error) => unreachable!("{error}"),
        };
    }

    /// An answer came: the request was carried out, or the view had changed.
    pub(super) fn answered(&mut self, m: usize, request: &Request, done: bool, store: &Store) {
        if done {
            self.look = Look::Answered(request.outcome);
        } else {
            self.attempt += 1;
            self.decide(m, store);
        }
    }

    pub(super) fn store(&mut self) {
        if let Look::Answered(subnets) = self.look {
            self.file = subnets;
            self.heard = !self.is_stale;
        }
        self.end();
        self.pending = Subnets::default();
    }

    fn end(&mut self) -> Option<Request> {
        self.attempt = 0;
        self.is_stale = false;
        match std::mem::take(&mut self.look) {
            Look::Asked(request) => Some(request),
            Look::Idle | Look::Answered(_) => None,
        }
    }

    pub(super) fn crash(&mut self) -> Option<Request> {
        self.pending = Subnets::default();
        self.end()
    }

    /// Gives up waiting, remembers what it asked for, and is about to look again.
    pub(super) fn time_out(&mut self) -> Option<Request> {
        let request = self.end();
        if let Some(request) = &request {
            for (pending, asked) in self.pending.iter_mut().zip(request.claims) {
                *pending |= asked;
            }
        }
        request
    }

    pub(super) fn disturb(&mut self) {
        self.heard = false;
        self.is_stale = self.look != Look::Idle;
    }
}
