//! The claim protocol under a model checker: every order of steps, with growing and giving back,
//! killed processes, lost replies, reboots, take-over and forgetting.
//!
//! The decisions and transactions are the product's own ([`crate::protocol::next_step`],
//! [`crate::protocol::Commit`], [`crate::protocol::release`]). The model has an etcd that carries
//! them out, and a network that loses or delays them. There are two subnets.
//!
//! [`Faults`] limits how often each kind of fault happens, and revisions are renumbered in each
//! state ([`ModelState::normalize`]), so the number of states is finite. Each test checks all of
//! them:
//!
//! | machines | faults | states |
//! | --- | --- | ---: |
//! | three nodes | a killed process, a lost reply | 120,757 |
//! | three nodes, two machines of one name | the first machine is lost; a killed process | 194,281 |
//! | three nodes, two machines of one name | the first machine is lost; a lost reply | 206,652 |
//! | three nodes | one is rebooted, one forgotten; a killed process | 396,904 |
//! | two nodes, two machines of one name | one lost, one rebooted, one forgotten | 31,489 |
//! | three nodes | one grows, one gives back; a killed process | 227,985 |
//! | two nodes | they grow twice, give back twice; two killed processes | 138,733 |
//! | two nodes | one grows, one gives back; one is rebooted, a lost reply | 110,135 |
//! | three nodes | a running machine is cut off from etcd, one node is forgotten | 24,729 |
//! | three nodes, two machines of one name | a running machine is cut off from etcd | 106,863 |
//! | three nodes | one is rebooted while etcd is away, and forgotten | 143,557 |
//! | three nodes | etcd is restored from a backup | 47,732 |
//!
//! | two nodes, two machines of one name and one machine id | the first is lost; a killed process | 131,428 |
//! | two nodes, two machines of one name and one machine id | a lost reply | 68,357 |
//! | two nodes, two machines of one name and one machine id | one is rebooted | 144,084 |
//! | two nodes, two machines of one name and one machine id | a running machine is cut off from etcd | 35,690 |
//!
//! In the last four, all machines are on at once: clones. They add 379,559 states. A boot begins a new
//! session in all of them, and the presence of the last one may still be there.
//!
//! Not in the model: several address families, more claims than fit into one transaction, the local
//! registry, and all of these faults in one run.

mod action;
mod decision;
mod machine;
mod properties;
mod request;
mod store;
mod tests;

use stateright::{Model, Property};

use action::Action;
use machine::ModelMachine;
use request::StoreRequest;
use store::{Store, machine_of};

/// How often each kind of fault or change may happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Faults {
    /// A process is killed. Its request may arrive later.
    crashes: u8,
    /// A reply is lost. The request may arrive later.
    lost_replies: u8,
    /// A machine is lost for good, with its disk.
    machine_losses: u8,
    /// A machine is switched off, and on again later. Its request may arrive in between.
    reboots: u8,
    /// A machine that was switched on cannot read the registry, and goes on from its file.
    outages: u8,
    forgets: u8,
    /// etcd is restored from its backup.
    restores: u8,
    /// A running machine is cut off from etcd for so long that its presence expires.
    partitions: u8,
    /// A machine claims one more subnet.
    growths: u8,
    /// A machine gives a subnet back.
    give_backs: u8,
}

/// A part of the protocol that is left out, to show that it is needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Without {
    #[default]
    Nothing,
    /// The condition that a claim's key is absent.
    AbsentClaim,
    /// The condition that the node's record is unchanged.
    SameRecord,
    /// The condition that the presence is unchanged, or still absent, when a name is taken over.
    SamePresence,
    /// That an adopted claim is written again.
    Rewriting,
    /// That a machine reads the registry after a reboot before it hands out addresses.
    RenewalAtBoot,
}

#[derive(Debug, Clone, Default)]
struct Protocol {
    /// The node of each machine.
    machines: &'static [usize],
    faults: Faults,
    without: Without,
    /// Whether a machine may run while its name is forgotten or held by another machine.
    stale_machines: bool,
    /// Whether all machines of a node have one machine id. They acquire the name and the presence
    /// before any subnet, as `routed` does.
    are_clones: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ModelState {
    store: Store,
    backup: Option<Store>,
    machines: Vec<ModelMachine>,
    /// Requests whose sender does not wait any more, each with its machine.
    in_flight: Vec<(usize, StoreRequest)>,
    left: Faults,
    /// A claim of another node was overwritten.
    overwritten: bool,
    /// A name was taken over from a machine that was present.
    took_present_name: bool,
}

impl ModelState {
    /// The registry changed without the machines of a node: what they know is out of date.
    fn invalidate(&mut self, node: usize, except: Option<usize>) {
        for (m, machine) in self.machines.iter_mut().enumerate() {
            if machine.node == node && Some(m) != except {
                machine.invalidate();
            }
        }
    }

    fn apply_request(&mut self, m: usize, request: &StoreRequest, without: Without) -> bool {
        let node = self.machines[m].node;
        if !self.store.holds(node, request, without) {
            return false;
        }
        let session = self.machines[m].session;
        let is_other = |other: Option<u8>| other.is_some_and(|other| machine_of(other) != m);
        if request.takes_over() && is_other(self.store.holder(node)) {
            self.took_present_name |= is_other(self.store.present(node));
            self.invalidate(node, Some(m));
        }
        self.overwritten |= self.store.write(node, session, request, without);
        true
    }

    fn no_machine_runs(&self, node: usize, except: Option<usize>) -> bool {
        let mut machines = self.machines.iter().enumerate();
        machines.all(|(m, machine)| machine.node != node || Some(m) == except || !machine.is_on)
    }

    /// Brings equal states to one representation: renumbers revisions, and drops requests whose
    /// conditions can never hold again.
    fn normalize(&mut self, without: Without) {
        let nodes: Vec<_> = self.machines.iter().map(|machine| machine.node).collect();
        for machine in &mut self.machines {
            machine.update_request(&self.store, without);
        }
        for (m, request) in &mut self.in_flight {
            self.store.update_conditions(nodes[*m], request);
        }
        self.in_flight
            .retain(|(_, request)| !request.is_doomed(without));
        self.in_flight.sort();
        self.store.renumber();
    }
}

impl Model for Protocol {
    type State = ModelState;
    type Action = Action;

    fn init_states(&self) -> Vec<ModelState> {
        let machines = self.machines.iter().zip(0..);
        let machines =
            machines.map(|(node, session)| ModelMachine::new(*node, session, self.are_clones));
        vec![ModelState {
            store: Store::default(),
            backup: None,
            machines: machines.collect(),
            in_flight: Vec::new(),
            left: self.faults,
            overwritten: false,
            took_present_name: false,
        }]
    }

    fn actions(&self, state: &ModelState, actions: &mut Vec<Action>) {
        for m in 0..state.machines.len() {
            self.actions_of(m, state, actions);
        }
        self.actions_of_others(state, actions);
    }

    fn next_state(&self, last: &ModelState, action: Action) -> Option<ModelState> {
        let mut state = last.clone();
        self.act(&mut state, action);
        state.normalize(self.without);
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all(self)
    }
}
