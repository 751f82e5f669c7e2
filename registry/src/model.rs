//! The claim protocol under a model checker: every order of steps, crashes, lost replies, take-over
//! and forgetting, up to a number of accidents.
//!
//! The decisions and the transactions are the code's own ([`protocol::next`],
//! [`crate::protocol::Commit`]); the model has an etcd that carries them out, and a network that
//! does not. Three nodes want a subnet each, and there are two.

mod machine;
mod properties;
mod store;
mod tests;

use stateright::{Model, Property};

use machine::{Look, MACHINES, Machine};
use store::{NODES, Request, Store};

/// What may happen, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Accidents {
    /// A process is killed. What it sent may arrive later.
    crashes: u8,
    /// An answer does not come. The request may arrive later.
    losses: u8,
    /// A machine is gone for good, with its disk.
    vanishings: u8,
    forgets: u8,
    /// etcd is brought back as it was when it was backed up.
    restores: u8,
    /// A machine that runs is cut off from etcd for so long that its presence ends.
    silences: u8,
}

/// A part of the protocol that is left out, to show that it is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    /// That a claim's key is absent.
    AbsentClaim,
    /// That the node's record is unchanged.
    SameRecord,
    /// That the other machine of the name is not present.
    AbsentPresence,
}

#[derive(Debug, Clone)]
struct Protocol {
    accidents: Accidents,
    without: Without,
    /// Whether a machine's name is forgotten or taken over only once the machine is gone for good.
    careful: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    store: Store,
    backup: Option<Store>,
    machines: [Machine; MACHINES],
    /// Requests that nobody waits for any more, of these machines.
    adrift: Vec<(usize, Request)>,
    left: Accidents,
    /// Somebody's claim was overwritten.
    overwritten: bool,
    /// A name was taken from a machine that was present.
    robbed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Action {
    Start(usize),
    /// Reads the registry, decides, and sends a request if one is needed.
    Look(usize),
    /// The request arrives, and the answer comes back.
    Answer(usize),
    /// Writes down what came of it.
    Store(usize),
    BePresent(usize),
    Crash(usize),
    LoseReply(usize),
    Arrive(usize),
    Vanish(usize),
    Expire(usize),
    Forget(usize),
    BackUp,
    Restore,
}

impl State {
    /// The registry was changed under the machines of a name: what they know is out of date.
    fn disturb(&mut self, node: usize, except: Option<usize>) {
        for (m, machine) in self.machines.iter_mut().enumerate() {
            if machine::node_of(m) == node && Some(m) != except {
                machine.disturb();
            }
        }
    }

    fn carry_out(&mut self, m: usize, request: &Request, without: Without) -> bool {
        let node = machine::node_of(m);
        if !self.store.holds(node, request, without) {
            return false;
        }
        if request.takes_over {
            self.robbed |= self.store.present[node];
            self.disturb(node, Some(m));
        }
        self.overwritten |= self.store.write(node, m, request);
        true
    }

    fn is_alone(&self, node: usize, except: Option<usize>) -> bool {
        let mut machines = self.machines.iter().enumerate();
        machines
            .all(|(m, machine)| machine::node_of(m) != node || Some(m) == except || !machine.is_on)
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            store: Store::default(),
            backup: None,
            machines: Default::default(),
            adrift: Vec::new(),
            left: self.accidents,
            overwritten: false,
            robbed: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (m, machine) in state.machines.iter().enumerate() {
            let node = machine::node_of(m);
            if !machine.is_on {
                // A machine that is gone stays gone; its name may come back on another.
                if !machine.is_gone && (!self.careful || state.is_alone(node, Some(m))) {
                    actions.push(Action::Start(m));
                }
                continue;
            }
            if state.left.vanishings > 0 {
                actions.push(Action::Vanish(m));
            }
            match &machine.look {
                Look::Idle => {
                    actions.push(Action::Look(m));
                    if machine.heard && !state.store.present[node] {
                        actions.push(Action::BePresent(m));
                    }
                }
                Look::Asked(_) => {
                    actions.push(Action::Answer(m));
                    if state.left.losses > 0 {
                        actions.push(Action::LoseReply(m));
                    }
                }
                Look::Answered(_) => actions.push(Action::Store(m)),
            }
            if state.left.crashes > 0 && machine.look != Look::Idle {
                actions.push(Action::Crash(m));
            }
        }
        actions.extend((0..state.adrift.len()).map(Action::Arrive));
        for node in 0..NODES.len() {
            if state.store.present[node] && (state.is_alone(node, None) || state.left.silences > 0)
            {
                actions.push(Action::Expire(node));
            }
            let may = !self.careful || state.is_alone(node, None);
            if state.left.forgets > 0 && may && state.store.may_forget(node) {
                actions.push(Action::Forget(node));
            }
        }
        if state.left.restores > 0 {
            actions.push(match state.backup {
                None => Action::BackUp,
                Some(_) => Action::Restore,
            });
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Start(m) => state.machines[m].is_on = true,
            Action::Look(m) => state.machines[m].look(m, &last.store),
            Action::Answer(m) => {
                let Look::Asked(request) = last.machines[m].look.clone() else {
                    return None;
                };
                let done = state.carry_out(m, &request, self.without);
                let store = state.store.clone();
                state.machines[m].answered(m, &request, done, &store);
            }
            Action::Store(m) => state.machines[m].store(),
            Action::BePresent(m) => {
                let node = machine::node_of(m);
                state.store.present[node] = state.store.holder(node) == Some(m);
            }
            Action::Crash(m) => {
                state.left.crashes -= 1;
                let request = state.machines[m].crash();
                state.adrift.extend(request.map(|request| (m, request)));
            }
            Action::LoseReply(m) => {
                state.left.losses -= 1;
                let request = state.machines[m].time_out();
                state.adrift.extend(request.map(|request| (m, request)));
            }
            Action::Arrive(n) => {
                let (m, request) = state.adrift.remove(n);
                state.carry_out(m, &request, self.without);
            }
            Action::Vanish(m) => {
                state.left.vanishings -= 1;
                let request = state.machines[m].crash();
                state.adrift.extend(request.map(|request| (m, request)));
                state.machines[m] = Machine::gone();
            }
            Action::Expire(node) => {
                if !state.is_alone(node, None) {
                    state.left.silences -= 1;
                }
                state.store.present[node] = false;
            }
            Action::Forget(node) => {
                state.left.forgets -= 1;
                state.store.forget(node);
                state.disturb(node, None);
            }
            Action::BackUp => state.backup = Some(state.store.clone()),
            Action::Restore => {
                state.left.restores -= 1;
                state.store = state.backup.take()?;
                // Its connections are gone, and what was on them.
                state.adrift.clear();
                for machine in &mut state.machines {
                    machine.time_out();
                    machine.disturb();
                }
            }
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}
