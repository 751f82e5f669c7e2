//! What is known of a table that closes pods, until the API was read.

use crate::table::Pods;

/// A table that closes pods.
#[derive(Debug, Default)]
pub(super) struct ClosedTable {
    /// The pods in it; `None` if the table in the kernel is that of an earlier run.
    pub(super) pods: Option<Pods>,
    /// Whether somebody else changed the table since it was looked at.
    pub(super) may_be_gone: bool,
}

impl ClosedTable {
    /// A table that was just made, in which all pods are closed.
    pub(super) fn made() -> Self {
        Self {
            pods: Some(Pods::new()),
            may_be_gone: false,
        }
    }

    /// Somebody else changed the table.
    pub(super) fn doubt(&mut self) {
        self.may_be_gone = true;
    }

    /// Whether it has to be looked whether the table still stands.
    pub(super) fn is_doubted(&self) -> bool {
        self.may_be_gone
    }
}
