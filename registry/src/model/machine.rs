//! A machine that wants subnets for its node, and hands out from those that its file has.

use super::Without;
use super::decision::{self, Situation};
use super::request::Request;
use super::store::{Store, Subnets};

#[allow(clippy::struct_excessive_bools)] // Each is a fact of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Machine {
    pub(super) node: usize,
    pub(super) is_on: bool,
    pub(super) is_gone: bool,
    pub(super) file: Subnets,
    /// Since it was switched on it has looked, or found that it could not.
    pub(super) has_asked: bool,
    pub(super) look: Look,
    /// Claims of requests whose answer was lost.
    pending: Subnets,
    races: u8,
    /// It looked, from beginning to end, since the registry was last changed under it.
    pub(super) heard: bool,
    /// The registry was changed under it since it began to look.
    is_stale: bool,
}

/// How far a process of it is. There is one at a time: they lock the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) enum Look {
    #[default]
    Idle,
    /// It has taken this subnet off the file, and is about to give it back.
    LetGo(usize),
    /// It waits for an answer; then it will have these.
    Asked(Aim, Request, Subnets),
    /// It is about to write these down.
    Answered(Aim, Subnets),
}

/// What it looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Aim {
    /// File and registry brought together.
    Renew,
    /// A further subnet.
    Grow,
    /// To be rid of this one.
    GiveBack(usize),
}

impl Machine {
    pub(super) fn of(node: usize) -> Self {
        Self {
            node,
            ..Self::default()
        }
    }

    /// Gone for good, with its disk.
    pub(super) fn vanish(&mut self) {
        *self = Self {
            is_gone: true,
            ..Self::of(self.node)
        };
    }

    /// Without power: what it remembers is its file.
    pub(super) fn switch_off(&mut self) {
        *self = Self {
            file: self.file,
            ..Self::of(self.node)
        };
    }

    /// What pods are given addresses from.
    pub(super) fn hands_out(&self) -> Subnets {
        if self.is_on && self.has_asked {
            self.file
        } else {
            Subnets::default()
        }
    }

    /// Begins to look: reads, and decides.
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

    /// An answer came: the request was carried out, or the view had changed.
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

    /// Writes down what came of it.
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

    /// Gives up waiting, remembers what it asked for, and is about to look again.
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

    /// What it waits for may have become impossible; then it is all the same what it was.
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
