//! A machine in the model: acquires subnets for its node, and hands out addresses from its file.

use super::Without;
use super::decision::{self, Situation};
use super::request::Request;
use super::store::{Store, Subnets};

#[allow(clippy::struct_excessive_bools)] // They are independent facts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Machine {
    pub(super) node: usize,
    pub(super) is_on: bool,
    pub(super) is_gone: bool,
    pub(super) file: Subnets,
    /// It has read the registry since it was switched on, or found that it could not.
    pub(super) has_asked: bool,
    pub(super) look: Look,
    /// Claims of requests whose reply was lost.
    pending: Subnets,
    races: u8,
    /// It has completed a renewal since the registry last changed without it.
    pub(super) heard: bool,
    /// The registry changed without it since the running operation began.
    is_stale: bool,
}

/// The progress of the running process. There is one process at a time: they lock the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) enum Look {
    #[default]
    Idle,
    /// It has taken this subnet off the file, and is about to give it back.
    LetGo(usize),
    /// It waits for a reply. If the reply is a success, it gets these subnets.
    Asked(Aim, Request, Subnets),
    /// It is about to store these subnets.
    Answered(Aim, Subnets),
}

/// What the process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Aim {
    /// Reconciles file and registry.
    Renew,
    /// Claims a further subnet.
    Grow,
    /// Gives this subnet back.
    GiveBack(usize),
}

impl Machine {
    pub(super) fn of(node: usize) -> Self {
        Self {
            node,
            ..Self::default()
        }
    }

    /// Lost for good, with its disk.
    pub(super) fn vanish(&mut self) {
        *self = Self {
            is_gone: true,
            ..Self::of(self.node)
        };
    }

    /// Powered off: only its file is left.
    pub(super) fn switch_off(&mut self) {
        *self = Self {
            file: self.file,
            ..Self::of(self.node)
        };
    }

    /// The subnets from which pods get addresses.
    pub(super) fn hands_out(&self) -> Subnets {
        if self.is_on && self.has_asked {
            self.file
        } else {
            Subnets::default()
        }
    }

    /// Begins an operation: reads and decides.
    pub(super) fn begin(&mut self, m: usize, aim: Aim, store: &Store) {
        self.is_stale = false;
        self.races = 0;
        self.decide(m, aim, store);
    }

    fn decide(&mut self, m: usize, aim: Aim, store: &Store) {
        self.look = decision::of(Situation {
            machine: m,
            node: self.node,
            aim,
            file: self.file,
            pending: self.pending,
            races: self.races,
            sight: store.sight(self.node),
        });
    }

    /// A reply came: the request was carried out, or its conditions did not hold.
    pub(super) fn answered(&mut self, m: usize, done: bool, store: &Store) {
        let Look::Asked(aim, _, outcome) = self.look else {
            return;
        };
        match aim {
            Aim::GiveBack(_) if done => drop(self.end()),
            _ if done => self.look = Look::Answered(aim, outcome),
            Aim::GiveBack(n) => self.look = Look::LetGo(n),
            _ => {
                self.races += 1;
                self.decide(m, aim, store);
            }
        }
    }

    /// Stores the result of the operation.
    pub(super) fn store(&mut self) {
        if let Look::Answered(aim, subnets) = self.look {
            if aim == Aim::Renew {
                self.file = subnets;
                self.heard = !self.is_stale;
                self.has_asked = true;
            } else {
                for (file, new) in self.file.iter_mut().zip(subnets) {
                    *file |= new;
                }
            }
        }
        self.end();
        self.pending = Subnets::default();
    }

    /// Takes a subnet off the file, to give it back.
    pub(super) fn let_go(&mut self, n: usize) {
        self.file[n] = false;
        self.look = Look::LetGo(n);
    }

    fn end(&mut self) -> Option<Request> {
        self.races = 0;
        self.is_stale = false;
        match std::mem::take(&mut self.look) {
            Look::Asked(_, request, _) => Some(request),
            _ => None,
        }
    }

    pub(super) fn crash(&mut self) -> Option<Request> {
        self.pending = Subnets::default();
        self.end()
    }

    /// Gives up waiting, remembers the request, and is about to read again.
    pub(super) fn time_out(&mut self) -> Option<Request> {
        let look = self.look.clone();
        let request = self.end();
        match (look, &request) {
            (Look::Asked(Aim::GiveBack(n), ..), _) => self.look = Look::LetGo(n),
            (_, Some(request)) => {
                for (n, pending) in self.pending.iter_mut().enumerate() {
                    *pending |= request.makes(n);
                }
            }
            _ => {}
        }
        request
    }

    pub(super) fn disturb(&mut self) {
        self.heard = false;
        self.is_stale = self.look != Look::Idle;
    }

    /// The request in flight may have become impossible; then its details do not matter any more.
    pub(super) fn hear(&mut self, store: &Store, without: Without) {
        if let Look::Asked(_, request, outcome) = &mut self.look {
            store.tell(self.node, request);
            if without == Without::Nothing && request.is_doomed(without) {
                *request = request.hopeless();
                *outcome = Subnets::default();
            }
        }
    }
}
