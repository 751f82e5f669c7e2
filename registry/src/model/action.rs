//! The actions of the model: which are possible in a state, and what they do.

use super::machine::{Operation, Progress};
use super::store::{NODES, SUBNETS};
use super::{ModelState, Protocol, Without};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    SwitchOn(usize),
    SwitchOff(usize),
    /// Goes on from its file, because etcd is away.
    SkipRenewal(usize),
    /// Reads the registry, decides, and sends a request if one is needed.
    Begin(usize, Operation),
    /// Takes a subnet off its file, to give it back.
    StartRelease(usize, usize),
    /// The request arrives, and the reply comes back.
    Reply(usize),
    /// Stores the result in its file.
    Store(usize),
    Announce(usize),
    Crash(usize),
    LoseReply(usize),
    Arrive(usize),
    LoseMachine(usize),
    Expire(usize),
    Forget(usize),
    BackUp,
    Restore,
}

impl Protocol {
    /// The actions of one machine.
    pub(super) fn actions_of(&self, m: usize, state: &ModelState, actions: &mut Vec<Action>) {
        let (machine, left) = (&state.machines[m], &state.left);
        if !machine.is_on {
            // A lost machine stays lost; its name may come back on another machine.
            if !machine.is_gone
                && (self.stale_machines || state.no_machine_runs(machine.node, Some(m)))
            {
                actions.push(Action::SwitchOn(m));
            }
            return;
        }
        if left.machine_losses > 0 {
            actions.push(Action::LoseMachine(m));
        }
        if left.reboots > 0 {
            actions.push(Action::SwitchOff(m));
        }
        if left.outages > 0 && !machine.has_renewed {
            actions.push(Action::SkipRenewal(m));
        }
        if left.crashes > 0 && machine.progress != Progress::Idle {
            actions.push(Action::Crash(m));
        }
        match &machine.progress {
            Progress::Idle => actions_of_idle(m, state, actions),
            Progress::Releasing(n) => actions.push(Action::Begin(m, Operation::GiveBack(*n))),
            Progress::Waiting(..) => {
                actions.push(Action::Reply(m));
                if left.lost_replies > 0 {
                    actions.push(Action::LoseReply(m));
                }
            }
            Progress::Decided(..) => actions.push(Action::Store(m)),
        }
    }

    /// The actions of the network, etcd and the operator.
    pub(super) fn actions_of_others(&self, state: &ModelState, actions: &mut Vec<Action>) {
        actions.extend((0..state.in_flight.len()).map(Action::Arrive));
        for node in 0..NODES.len() {
            let no_machine_runs = state.no_machine_runs(node, None);
            if state.store.present(node).is_some()
                && (!state.is_alive(node) || state.left.partitions > 0)
            {
                actions.push(Action::Expire(node));
            }
            let may = self.stale_machines || no_machine_runs;
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

    pub(super) fn act(&self, state: &mut ModelState, action: Action) {
        match action {
            Action::SwitchOn(m) => {
                let machine = &mut state.machines[m];
                machine.is_on = true;
                machine.has_renewed = self.without == Without::RenewalAtBoot;
            }
            Action::SkipRenewal(m) => {
                state.left.outages -= 1;
                state.machines[m].has_renewed = true;
            }
            Action::Begin(m, operation) => {
                state.left.growths -= u8::from(operation == Operation::Grow);
                state.machines[m].begin(operation, &state.store);
            }
            Action::StartRelease(m, n) => {
                state.left.give_backs -= 1;
                state.machines[m].start_release(n);
            }
            Action::Reply(m) => self.reply(state, m),
            Action::Store(m) => state.machines[m].store(),
            Action::Announce(m) => {
                let (node, session) = (state.machines[m].node, state.machines[m].session);
                if state.store.holder(node) == Some(session) {
                    state.store.write_presence(node, session);
                }
            }
            Action::Arrive(n) => {
                let (m, request) = state.in_flight.remove(n);
                state.apply_request(m, &request, self.without);
            }
            Action::Crash(m) => {
                state.left.crashes -= 1;
                state.kill_process(m);
            }
            Action::LoseReply(m) => {
                state.left.lost_replies -= 1;
                let request = state.machines[m].time_out();
                state.in_flight.extend(request.map(|request| (m, request)));
            }
            Action::SwitchOff(m) => {
                state.left.reboots -= 1;
                state.kill_process(m);
                state.machines[m].switch_off();
            }
            Action::LoseMachine(m) => {
                state.left.machine_losses -= 1;
                state.kill_process(m);
                state.machines[m].vanish();
            }
            Action::Expire(node) => {
                state.left.partitions -= u8::from(state.is_alive(node));
                state.store.expire(node);
            }
            Action::Forget(node) => {
                state.left.forgets -= 1;
                state.store.forget(node);
                state.invalidate(node, None);
            }
            Action::BackUp => state.backup = Some(state.store.clone()),
            Action::Restore => state.restore(),
        }
    }

    fn reply(&self, state: &mut ModelState, m: usize) {
        if let Progress::Waiting(_, request, _) = state.machines[m].progress.clone() {
            let done = state.apply_request(m, &request, self.without);
            state.machines[m].receive_reply(done, &state.store);
        }
    }
}

fn actions_of_idle(m: usize, state: &ModelState, actions: &mut Vec<Action>) {
    let machine = &state.machines[m];
    let is_present = state.store.present(machine.node) == Some(machine.session);
    let holds = state.store.holder(machine.node) == Some(machine.session);
    if !machine.are_clones || is_present {
        actions.push(Action::Begin(m, Operation::Renew));
    }
    if machine.are_clones {
        actions.push(Action::Begin(m, Operation::Register));
    }
    if (machine.is_current || machine.are_clones && holds) && !is_present {
        actions.push(Action::Announce(m));
    }
    let file = machine.handed_out();
    let owned = file.iter().filter(|has| **has).count();
    if state.left.growths > 0 && owned == 1 {
        actions.push(Action::Begin(m, Operation::Grow));
    }
    if state.left.give_backs > 0 && owned > 1 {
        actions.extend((0..SUBNETS.len()).map(|n| Action::StartRelease(m, n)));
    }
}

impl ModelState {
    /// Kills the running process. Its request stays in flight.
    fn kill_process(&mut self, m: usize) {
        let request = self.machines[m].crash();
        self.in_flight.extend(request.map(|request| (m, request)));
    }

    /// Whether the session that is present as this node runs.
    fn is_alive(&self, node: usize) -> bool {
        let present = self.store.present(node);
        let mut machines = self.machines.iter();
        machines.any(|machine| machine.is_on && Some(machine.session) == present)
    }

    fn restore(&mut self) {
        self.left.restores -= 1;
        self.store = self.backup.take().expect("there is a backup");
        // All connections are closed, so no request is in flight any more.
        self.in_flight.clear();
        for machine in &mut self.machines {
            machine.time_out();
            machine.invalidate();
        }
    }
}
