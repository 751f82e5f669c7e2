//! The enforcement of NetworkPolicies, as this node's files show it: nothing is asked.

use serde::{Deserialize, Serialize};
use wire::paths::POLICY_LOCK;
use wire::policy_program;

/// What `flatland-policy` shows of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PolicyStatus {
    /// Whether it runs; `None` if that cannot be told.
    pub(crate) running: Option<bool>,
    /// Why that cannot be told.
    pub(crate) why: Option<String>,
    /// Whether it has put its rules into the kernel since the boot.
    pub(crate) ready: bool,
}

impl PolicyStatus {
    /// Reads the lock and the mark.
    pub(crate) fn read() -> Self {
        let running = policy_program::is_running();
        Self {
            ready: policy_program::has_been_ready(),
            why: running
                .as_ref()
                .err()
                .map(|error| format!("{POLICY_LOCK}: {error}")),
            running: running.ok(),
        }
    }

    /// What needs attention, as a sentence.
    pub(crate) fn trouble(&self) -> Option<String> {
        let text = match (self.running, self.ready) {
            (Some(true), true) => return None,
            (Some(true), false) => {
                "flatland-policy has not put its rules into the kernel since the boot: no pod can be \
                 added before it has; its log says what it waits for"
            }
            (Some(false), true) => {
                "flatland-policy is not running: running pods keep their rules, new pods are closed \
                 until it runs again"
            }
            (Some(false), false) => {
                "flatland-policy is not running, and has not put its rules into the kernel since the \
                 boot: no pod can be added before it has"
            }
            (None, _) => {
                let why = self.why.as_deref().unwrap_or_default();
                return Some(format!("cannot tell whether flatland-policy runs: {why}"));
            }
        };
        Some(text.to_owned())
    }
}

/// What needs attention where the conflist has no `policy` section, as a sentence: the table of an
/// earlier run, unless the program runs and decides about new pods all the same.
pub(crate) fn unused_trouble() -> Option<String> {
    let is_leftover = policy_program::has_table().is_ok_and(|has_table| has_table)
        && !policy_program::is_running().is_ok_and(|is_running| is_running);
    is_leftover.then(leftover_table)
}

/// What is wrong with a table where the conflist has no `policy` section.
pub(crate) fn leftover_table() -> String {
    let table = policy_program::table();
    format!(
        "the conflist has no \"policy\", but table {table} is in the kernel: it closes each pod that \
         flatland-policy does not know"
    )
}

#[cfg(test)]
mod tests;
