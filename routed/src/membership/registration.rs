//! The registration that this node should have, and the log lines about it.

use std::collections::BTreeMap;
use std::path::Path;

use ipnet::IpNet;
use registry::owned::Owned;
use registry::{Error, NodeRecord, Registration};
use tracing::{debug, info, warn};
use wire::node::NodeName;

use crate::text::list;

/// Warns if `node` took over its name from another machine, or if the registry has lost a node that
/// owns subnets according to the `subnets.json` in `folder`.
pub(super) fn log_registration(
    node: &NodeName,
    folder: &Path,
    registration: &Registration,
    record: &NodeRecord,
) -> Result<(), Error> {
    match registration {
        Registration::TookOver { from } => warn!(
            %node,
            "took over the name and the subnets of node {node} from machine {} ({}), whose \
             routed is gone; this is machine {} ({})",
            from.machine_id,
            list(&from.addresses),
            record.machine_id,
            list(&record.addresses)
        ),
        Registration::New => {
            let known = Owned::load(folder)?.filter(|owned| owned.node == *node);
            if known.is_some_and(|owned| !owned.subnets.is_empty()) {
                warn!(
                    %node,
                    "node {node} is not in the registry any more: it was forgotten, or the \
                     registry lost its data; it registers again and claims what it owned, except what other \
                     nodes have been given since"
                );
            }
        }
        Registration::Resumed { from } if from.session.is_some() => info!(
            %node,
            "resumed the name of node {node} from an earlier session of this machine ({})",
            list(&from.addresses)
        ),
        Registration::Updated { from } if from.addresses != record.addresses => debug!(
            %node,
            "the record of node {node} said {}; written again as {}",
            list(&from.addresses),
            list(&record.addresses)
        ),
        Registration::Unchanged | Registration::Updated { .. } | Registration::Resumed { .. } => {}
    }
    Ok(())
}

/// Who wrote a record, as far as it says.
pub(super) fn writer(record: &NodeRecord) -> String {
    let session = record.session.as_deref().unwrap_or("none");
    let (machine, addresses) = (&record.machine_id, list(&record.addresses));
    format!("machine {machine}, session {session}, addresses {addresses}")
}

/// A key that is the same for failures that are logged once: during an outage, attempts fail with
/// different texts. `text` is the whole message of `error`.
pub(super) fn dedup_key<'a>(error: &Error, text: &'a str) -> &'a str {
    match error {
        Error::Unreachable { .. } => "unreachable",
        _ => text,
    }
}

/// What the registry should have of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DesiredRegistration {
    /// The node's record.
    pub(crate) record: NodeRecord,
    /// Counts how often the registry was found to lack something that it should have.
    pub(crate) generation: u64,
    /// Subnets that this node owned and that the registry has given to other nodes, with these
    /// nodes.
    pub(crate) lost: BTreeMap<IpNet, NodeName>,
}

impl DesiredRegistration {
    /// Whether both ask for the same, apart from the generation.
    pub(super) fn same_request(&self, other: &Self) -> bool {
        self.record == other.record && self.lost == other.lost
    }
}

#[cfg(test)]
mod tests;
