//! The table in the kernel.

use std::collections::BTreeSet;

use policy::rules::{Change, Ruleset};
use wire::netlink::Error;
use wire::nft::{NftCommand, NftMonitor, NftSocket, RuleCounter};
use wire::policy_trial::trial_table;

use crate::table::{self, Pods, change_commands, whole_table};

/// The table, and what is known of its content.
#[derive(Debug)]
pub(super) struct KernelTable {
    socket: NftSocket,
    /// The pods in it; `None` if it has to be replaced as a whole.
    pods: Option<Pods>,
}

impl KernelTable {
    /// The table of this network namespace, of which nothing is known.
    pub(super) fn open() -> Result<Self, Error> {
        Ok(Self {
            socket: NftSocket::open()?,
            pods: None,
        })
    }

    /// Lets `monitor` skip our own changes.
    pub(super) fn hide_from(&self, monitor: &mut NftMonitor) {
        monitor.ignore(&self.socket);
    }

    /// Whether the table has to be replaced as a whole.
    pub(super) fn is_unknown(&self) -> bool {
        self.pods.is_none()
    }

    /// Forgets its content: another program changed it, or it does not belong to the rules.
    pub(super) fn forget(&mut self) {
        self.pods = None;
    }

    /// Whether there is a table that drops what no pod's rules allow, of whichever run.
    pub(super) fn does_stand(&mut self) -> Result<bool, Error> {
        let chain = self.socket.base_chain(&table::table_id(), table::FORWARD)?;
        Ok(chain.is_some_and(|chain| chain.size > 0))
    }

    /// Makes a table in which all pods are closed but those in `pods`.
    pub(super) fn close(&mut self, pods: &Pods) -> Result<(), Error> {
        let table = whole_table(&Ruleset::default(), pods);
        self.socket.apply(&table.replace_commands(), None)
    }

    /// The interfaces of the pods that the table has decided, of whichever run; none if it is not there.
    pub(super) fn decided(&mut self) -> Result<BTreeSet<String>, Error> {
        let listing = self.socket.table(&table::table_id())?.0;
        Ok(listing.map(|it| table::decided(&it)).unwrap_or_default())
    }

    /// Brings the pods that this run has put into the table of an earlier run from `before` to `after`.
    pub(super) fn add_pods(&mut self, before: &Pods, after: &Pods) -> Result<(), Error> {
        let commands = change_commands(&Ruleset::default(), &Change::default(), before, after);
        self.socket.apply(&commands, None)
    }

    /// Replaces the whole table in one transaction.
    pub(super) fn replace(&mut self, ruleset: &Ruleset, pods: Pods) -> Result<(), Error> {
        let commands = whole_table(ruleset, &pods).replace_commands();
        self.pods = None;
        self.socket.apply(&commands, None)?;
        self.pods = Some(pods);
        Ok(())
    }

    /// Changes the table in one transaction, element by element: the rules, and the pods if `pods` are
    /// given. Only for a table whose content is known; after a failure it is not.
    pub(super) fn change(
        &mut self,
        ruleset: &Ruleset,
        change: &Change,
        pods: Option<Pods>,
    ) -> Result<(), Error> {
        let before = self.pods.take().unwrap_or_default();
        let after = pods.as_ref().unwrap_or(&before);
        let commands = change_commands(ruleset, change, &before, after);
        self.socket.apply(&commands, None)?;
        self.pods = Some(pods.unwrap_or(before));
        Ok(())
    }

    /// What each rule has counted.
    pub(super) fn counters(&mut self) -> Result<Vec<RuleCounter>, Error> {
        self.socket.counters(&table::table_id())
    }

    /// Makes and removes a table with everything that policies need. The error names what the kernel
    /// does not have.
    pub(super) fn probe(&mut self) -> Result<(), Error> {
        let trial = trial_table();
        let mut commands = trial.replace_commands();
        commands.push(NftCommand::DelTable(trial.id));
        self.socket.apply(&commands, None)
    }
}
