//! A machine in the model: acquires subnets for its node, and hands out addresses from its file.

use super::Without;
use super::decision::{self, DecisionInput};
use super::request::StoreRequest;
use super::store::{BOOT, Store, SubnetSet};

/// More lost races in a row change no decision of a model with two subnets.
const MAX_RACES: u8 = 2;

#[allow(clippy::struct_excessive_bools)] // They are independent facts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct ModelMachine {
    pub(super) node: usize,
    /// The session of this boot.
    pub(super) session: u8,
    /// Whether this session has held the name.
    has_held: bool,
    pub(super) are_clones: bool,
    pub(super) is_on: bool,
    pub(super) is_gone: bool,
    pub(super) file: SubnetSet,
    /// It has read the registry since it was switched on, or found that it could not.
    pub(super) has_renewed: bool,
    pub(super) progress: Progress,
    /// Claims of requests whose reply was lost.
    pending: SubnetSet,
    races: u8,
    /// It has completed a renewal since the registry last changed without it.
    pub(super) is_current: bool,
    /// The registry changed without it since the running operation began.
    is_stale: bool,
}

/// The progress of the running process. There is one process at a time: they lock the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) enum Progress {
    #[default]
    Idle,
    /// It has taken this subnet off the file, and is about to give it back.
    Releasing(usize),
    /// It waits for a reply. If the reply is a success, it gets these subnets.
    Waiting(Operation, StoreRequest, SubnetSet),
    /// It is about to store these subnets.
    Decided(Operation, SubnetSet),
}

/// What the process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    /// Acquires the name only.
    Register,
    /// Reconciles file and registry.
    Renew,
    /// Claims a further subnet.
    Grow,
    /// Gives this subnet back.
    GiveBack(usize),
}

impl ModelMachine {
    pub(super) fn new(node: usize, session: u8, are_clones: bool) -> Self {
        Self {
            node,
            session,
            are_clones,
            ..Self::default()
        }
    }

    /// Lost for good, with its disk.
    pub(super) fn vanish(&mut self) {
        *self = Self {
            is_gone: true,
            ..Self::new(self.node, self.session, self.are_clones)
        };
    }

    /// Powered off: only its file is left. The next boot is another session.
    pub(super) fn switch_off(&mut self) {
        *self = Self {
            file: self.file,
            ..Self::new(self.node, self.session + BOOT, self.are_clones)
        };
    }

    /// The subnets from which pods get addresses.
    pub(super) fn handed_out(&self) -> SubnetSet {
        if self.is_on && self.has_renewed {
            self.file
        } else {
            SubnetSet::default()
        }
    }

    /// Begins an operation: reads and decides.
    pub(super) fn begin(&mut self, operation: Operation, store: &Store) {
        self.is_stale = false;
        self.races = 0;
        self.decide(operation, store);
    }

    fn decide(&mut self, operation: Operation, store: &Store) {
        self.progress = decision::of(DecisionInput {
            session: self.session,
            has_held: self.has_held,
            are_clones: self.are_clones,
            node: self.node,
            operation,
            file: self.file,
            pending: self.pending,
            races: self.races,
            sight: store.sight(self.node),
        });
        self.note_name(store);
    }

    /// Once an operation is done, the session knows whether it has held the name.
    fn note_name(&mut self, store: &Store) {
        let is_done = matches!(self.progress, Progress::Decided(..));
        self.has_held |= is_done && store.holder(self.node) == Some(self.session);
    }

    /// A reply came: the request was carried out, or its conditions did not hold.
    pub(super) fn receive_reply(&mut self, done: bool, store: &Store) {
        let Progress::Waiting(operation, _, outcome) = self.progress else {
            return;
        };
        match operation {
            Operation::GiveBack(_) if done => drop(self.end()),
            _ if done => self.progress = Progress::Decided(operation, outcome),
            Operation::GiveBack(n) => self.progress = Progress::Releasing(n),
            _ => {
                // Clones that take the name from each other could go on for ever.
                self.races = (self.races + 1).min(MAX_RACES);
                self.decide(operation, store);
            }
        }
        self.note_name(store);
    }

    /// Stores the result of the operation.
    pub(super) fn store(&mut self) {
        if let Progress::Decided(operation, subnets) = self.progress {
            if operation == Operation::Register {
                // Subnets come with the next renewal.
            } else if operation == Operation::Renew {
                self.file = subnets;
                self.is_current = !self.is_stale;
                self.has_renewed = true;
            } else {
                for (file, new) in self.file.iter_mut().zip(subnets) {
                    *file |= new;
                }
            }
        }
        self.end();
        self.pending = SubnetSet::default();
    }

    /// Takes a subnet off the file, to give it back.
    pub(super) fn start_release(&mut self, n: usize) {
        self.file[n] = false;
        self.progress = Progress::Releasing(n);
    }

    fn end(&mut self) -> Option<StoreRequest> {
        self.races = 0;
        self.is_stale = false;
        match std::mem::take(&mut self.progress) {
            Progress::Waiting(_, request, _) => Some(request),
            _ => None,
        }
    }

    pub(super) fn crash(&mut self) -> Option<StoreRequest> {
        self.pending = SubnetSet::default();
        self.end()
    }

    /// Gives up waiting, remembers the request, and is about to read again.
    pub(super) fn time_out(&mut self) -> Option<StoreRequest> {
        let progress = self.progress.clone();
        let request = self.end();
        match (progress, &request) {
            (Progress::Waiting(Operation::GiveBack(n), ..), _) => {
                self.progress = Progress::Releasing(n);
            }
            (_, Some(request)) => {
                for (n, pending) in self.pending.iter_mut().enumerate() {
                    *pending |= request.makes(n);
                }
            }
            _ => {}
        }
        request
    }

    pub(super) fn invalidate(&mut self) {
        self.is_current = false;
        self.is_stale = self.progress != Progress::Idle;
    }

    /// The request in flight may have become impossible; then its details do not matter any more.
    pub(super) fn update_request(&mut self, store: &Store, without: Without) {
        if let Progress::Waiting(_, request, outcome) = &mut self.progress {
            store.update_conditions(self.node, request);
            if without == Without::Nothing && request.is_doomed(without) {
                *request = request.doomed();
                *outcome = SubnetSet::default();
            }
        }
    }
}
