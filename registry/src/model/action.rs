//! The actions of the model: which are possible in a state, and what they do.

use super::machine::{Aim, Look};
use super::store::{NODES, SUBNETS};
use super::{Protocol, State, Without};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    SwitchOn(usize),
    SwitchOff(usize),
    /// Goes on from its file, because etcd is away.
    Trust(usize),
    /// Reads the registry, decides, and sends a request if one is needed.
    Look(usize, Aim),
    /// Takes a subnet off its file, to give it back.
    LetGo(usize, usize),
    /// The request arrives, and the reply comes back.
    Answer(usize),
    /// Stores the result in its file.
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

impl Protocol {
    /// The actions of one machine.
    pub(super) fn actions_of(&self, m: usize, state: &State, actions: &mut Vec<Action>) {
        let (machine, left) = (&state.machines[m], &state.left);
        if !machine.is_on {
            // A lost machine stays lost; its name may come back on another machine.
            if !machine.is_gone && (self.careless || state.is_alone(machine.node, Some(m))) {
                actions.push(Action::SwitchOn(m));
            }
            return;
        }
        if left.vanishings > 0 {
            actions.push(Action::Vanish(m));
        }
        if left.reboots > 0 {
            actions.push(Action::SwitchOff(m));
        }
        if left.outages > 0 && !machine.has_asked {
            actions.push(Action::Trust(m));
        }
        if left.crashes > 0 && machine.look != Look::Idle {
            actions.push(Action::Crash(m));
        }
        match &machine.look {
            Look::Idle => actions_of_idle(m, state, actions),
            Look::LetGo(n) => actions.push(Action::Look(m, Aim::GiveBack(*n))),
            Look::Asked(..) => {
                actions.push(Action::Answer(m));
                if left.losses > 0 {
                    actions.push(Action::LoseReply(m));
                }
            }
            Look::Answered(..) => actions.push(Action::Store(m)),
        }
    }

    /// The actions of the network, etcd and the operator.
    pub(super) fn actions_of_others(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend((0..state.adrift.len()).map(Action::Arrive));
        for node in 0..NODES.len() {
            let is_alone = state.is_alone(node, None);
            if state.store.present[node] && (is_alone || state.left.silences > 0) {
                actions.push(Action::Expire(node));
            }
            let may = self.careless || is_alone;
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

    pub(super) fn act(&self, state: &mut State, action: Action) {
        match action {
            Action::SwitchOn(m) => {
                let machine = &mut state.machines[m];
                machine.is_on = true;
                machine.has_asked = self.without == Without::Asking;
            }
            Action::Trust(m) => {
                state.left.outages -= 1;
                state.machines[m].has_asked = true;
            }
            Action::Look(m, aim) => {
                state.left.growths -= u8::from(aim == Aim::Grow);
                state.machines[m].begin(m, aim, &state.store);
            }
            Action::LetGo(m, n) => {
                state.left.returns -= 1;
                state.machines[m].let_go(n);
            }
            Action::Answer(m) => self.answer(state, m),
            Action::Store(m) => state.machines[m].store(),
            Action::BePresent(m) => {
                let node = state.machines[m].node;
                state.store.present[node] = state.store.holder(node) == Some(m);
            }
            Action::Arrive(n) => {
                let (m, request) = state.adrift.remove(n);
                state.carry_out(m, &request, self.without);
            }
            Action::Crash(m) => {
                state.left.crashes -= 1;
                state.cut(m);
            }
            Action::LoseReply(m) => {
                state.left.losses -= 1;
                let request = state.machines[m].time_out();
                state.adrift.extend(request.map(|request| (m, request)));
            }
            Action::SwitchOff(m) => {
                state.left.reboots -= 1;
                state.cut(m);
                state.machines[m].switch_off();
            }
            Action::Vanish(m) => {
                state.left.vanishings -= 1;
                state.cut(m);
                state.machines[m].vanish();
            }
            Action::Expire(node) => {
                state.left.silences -= u8::from(!state.is_alone(node, None));
                state.store.present[node] = false;
            }
            Action::Forget(node) => {
                state.left.forgets -= 1;
                state.store.forget(node);
                state.disturb(node, None);
            }
            Action::BackUp => state.backup = Some(state.store.clone()),
            Action::Restore => state.restore(),
        }
    }

    fn answer(&self, state: &mut State, m: usize) {
        if let Look::Asked(_, request, _) = state.machines[m].look.clone() {
            let done = state.carry_out(m, &request, self.without);
            state.machines[m].answered(m, done, &state.store);
        }
    }
}

fn actions_of_idle(m: usize, state: &State, actions: &mut Vec<Action>) {
    let machine = &state.machines[m];
    actions.push(Action::Look(m, Aim::Renew));
    if machine.heard && !state.store.present[machine.node] {
        actions.push(Action::BePresent(m));
    }
    let file = machine.hands_out();
    let owned = file.iter().filter(|has| **has).count();
    if state.left.growths > 0 && owned == 1 {
        actions.push(Action::Look(m, Aim::Grow));
    }
    if state.left.returns > 0 && owned > 1 {
        actions.extend((0..SUBNETS.len()).map(|n| Action::LetGo(m, n)));
    }
}

impl State {
    /// Kills the running process. Its request stays in flight.
    fn cut(&mut self, m: usize) {
        let request = self.machines[m].crash();
        self.adrift.extend(request.map(|request| (m, request)));
    }

    fn restore(&mut self) {
        self.left.restores -= 1;
        self.store = self.backup.take().expect("there is a backup");
        // All connections are closed, so no request is in flight any more.
        self.adrift.clear();
        for machine in &mut self.machines {
            machine.time_out();
            machine.disturb();
        }
    }
}
