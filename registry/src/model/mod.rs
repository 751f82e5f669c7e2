//! The claim protocol under a model checker: every order of steps, growing and giving back, killed
//! processes, lost replies, reboots, take-over and forgetting.
//!
//! The decisions and the transactions are the code's own ([`crate::protocol::next_step`],
//! [`crate::protocol::Commit`], [`crate::protocol::release`]); the model has an etcd that carries them
//! out, and a network that does not, or does so late. There are two subnets.
//!
//! With so many accidents of each kind as [`Accidents`] allows there are finitely many states, as
//! revisions are counted anew in each ([`State::tidy`]); each test looks at all of them:
//!
//! | machines | accidents | states |
//! | --- | --- | ---: |
//! | three nodes | a killed process, a lost answer | 107,811 |
//! | three nodes, two machines of one name | the first is gone for good; a killed process | 157,307 |
//! | three nodes, two machines of one name | the first is gone for good; a lost answer | 182,822 |
//! | three nodes | one is switched off, one forgotten; a killed process | 236,834 |
//! | two nodes, two machines of one name | one gone, one switched off, one forgotten | 19,000 |
//! | three nodes | one grows, one gives back; a killed process | 221,749 |
//! | two nodes | they grow twice, give back twice; two killed processes | 136,581 |
//! | two nodes | one grows, one gives back; one is switched off, a lost answer | 72,932 |
//! | three nodes | one that runs is cut off, one forgotten | 24,929 |
//! | three nodes, two machines of one name | one that runs is cut off | 101,415 |
//! | three nodes | one is switched off, forgotten, and cannot ask | 99,352 |
//! | three nodes | etcd is brought back from a backup | 42,664 |
//!
//! What is not in it: several families, more claims than one transaction takes, the local registry,
//! and all of these accidents in one run.

mod action;
mod decision;
mod machine;
mod properties;
mod request;
mod store;
mod tests;

use stateright::{Model, Property};

use action::Action;
use machine::Machine;
use request::Request;
use store::Store;

/// What may happen, and how often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Accidents {
    /// A process is killed. What it sent may arrive later.
    crashes: u8,
    /// An answer does not come. The request may arrive later.
    losses: u8,
    /// A machine is gone for good, with its disk.
    vanishings: u8,
    /// A machine is switched off, and on again later. What it sent may arrive meanwhile.
    reboots: u8,
    /// A machine that was switched on cannot ask the registry, and goes on from its file.
    outages: u8,
    forgets: u8,
    /// etcd is brought back as it was when it was backed up.
    restores: u8,
    /// A machine that runs is cut off from etcd for so long that its presence ends.
    silences: u8,
    /// A machine wants one subnet more.
    growths: u8,
    /// A machine gives one back.
    returns: u8,
}

/// A part of the protocol that is left out, to show that it is needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Without {
    #[default]
    Nothing,
    /// That a claim's key is absent.
    AbsentClaim,
    /// That the node's record is unchanged.
    SameRecord,
    /// That the other machine of the name is not present.
    AbsentPresence,
    /// That a claim which is adopted is written again.
    Rewriting,
    /// That a machine which was switched on asks before it hands out.
    Asking,
}

#[derive(Debug, Clone, Default)]
struct Protocol {
    /// Of each machine, which node it says it is.
    machines: &'static [usize],
    accidents: Accidents,
    without: Without,
    /// Whether a machine may run while its name is forgotten or on another machine.
    careless: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    store: Store,
    backup: Option<Store>,
    machines: Vec<Machine>,
    /// Requests that nobody waits for any more, of these machines.
    adrift: Vec<(usize, Request)>,
    left: Accidents,
    /// Somebody's claim was overwritten.
    overwritten: bool,
    /// A name was taken from a machine that was present.
    robbed: bool,
}

impl State {
    /// The registry was changed under the machines of a name: what they know is out of date.
    fn disturb(&mut self, node: usize, except: Option<usize>) {
        for (m, machine) in self.machines.iter_mut().enumerate() {
            if machine.node == node && Some(m) != except {
                machine.disturb();
            }
        }
    }

    fn carry_out(&mut self, m: usize, request: &Request, without: Without) -> bool {
        let node = self.machines[m].node;
        if !self.store.holds(node, request, without) {
            return false;
        }
        if request.takes_over() {
            self.robbed |= self.store.present[node];
            self.disturb(node, Some(m));
        }
        self.overwritten |= self.store.write(node, m, request, without);
        true
    }

    fn is_alone(&self, node: usize, except: Option<usize>) -> bool {
        let mut machines = self.machines.iter().enumerate();
        machines.all(|(m, machine)| machine.node != node || Some(m) == except || !machine.is_on)
    }

    /// The same state in the shortest words, so that it is recognised: revisions are counted from
    /// the last, and what can never be carried out is left out.
    fn tidy(&mut self, without: Without) {
        let nodes: Vec<_> = self.machines.iter().map(|machine| machine.node).collect();
        for machine in &mut self.machines {
            machine.hear(&self.store, without);
        }
        for (m, request) in &mut self.adrift {
            self.store.tell(nodes[*m], request);
        }
        self.adrift
            .retain(|(_, request)| !request.is_doomed(without));
        self.adrift.sort();
        self.store.settle();
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let machines = self.machines.iter().map(|node| Machine::of(*node));
        vec![State {
            store: Store::default(),
            backup: None,
            machines: machines.collect(),
            adrift: Vec::new(),
            left: self.accidents,
            overwritten: false,
            robbed: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for m in 0..state.machines.len() {
            self.actions_of(m, state, actions);
        }
        self.actions_of_others(state, actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        self.act(&mut state, action);
        state.tidy(self.without);
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}
