//! What is known of the table until the API was read.

use std::collections::BTreeSet;

use crate::table::Pods;

/// The table before the API was read.
#[derive(Debug, Default)]
pub(super) struct ClosedTable {
    /// The pods that this run has put into it.
    pub(super) pods: Pods,
    /// The interfaces of the pods that an earlier run had decided, if the table is of an earlier run:
    /// their rules stay.
    pub(super) decided: Option<BTreeSet<String>>,
    /// Whether another program changed the table since it was looked at.
    pub(super) may_be_gone: bool,
}

impl ClosedTable {
    /// A table of an earlier run, which has decided the pods with these interfaces.
    pub(super) fn kept(decided: BTreeSet<String>) -> Self {
        Self {
            decided: Some(decided),
            ..Self::default()
        }
    }

    /// Another program changed the table.
    pub(super) fn doubt(&mut self) {
        self.may_be_gone = true;
    }

    /// Whether it has to be looked whether the table still stands.
    pub(super) fn is_doubted(&self) -> bool {
        self.may_be_gone
    }
}
