//! Which machine holds a node's name: registration and take-over.

use std::net::IpAddr;

use super::{Claimant, RegistryView};
use crate::error::Error;
use crate::records::NodeRecord;

/// How the node holds its name. All writes are conditional on this, so that a machine which lost
/// the name cannot write in that name any more, not even with a request that it sent before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameHold {
    /// The record's revision; 0 if the record must not exist.
    pub(crate) revision: i64,
    /// The new record, if it changes.
    pub(crate) write: Option<NodeRecord>,
    pub(crate) registration: Registration,
}

/// The result of registering a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// The node was not registered before.
    New,
    /// The record was already up to date.
    Unchanged,
    /// The node's addresses changed.
    Updated,
    /// The name belonged to another machine, whose `routed` is gone.
    TookOver {
        /// The record of the other machine.
        from: NodeRecord,
    },
}

impl NameHold {
    /// Whether the other machine must still be absent when this is committed.
    pub(crate) fn needs_absence(&self) -> bool {
        matches!(self.registration, Registration::TookOver { .. })
    }
}

/// Decides how the claimant holds its name.
pub(crate) fn hold(view: &RegistryView, claimant: Claimant<'_>) -> Result<NameHold, Error> {
    let new_record = |addresses: &[IpAddr]| NodeRecord {
        addresses: claimant.addresses.unwrap_or(addresses).to_vec(),
        machine_id: claimant.machine.to_owned(),
    };
    let (write, registration) = match &view.node {
        None => (Some(new_record(&[])), Registration::New),
        Some(record) if record.machine_id == claimant.machine => {
            let new = new_record(&record.addresses);
            if new == *record {
                (None, Registration::Unchanged)
            } else {
                (Some(new), Registration::Updated)
            }
        }
        Some(record) if !view.is_present => (
            Some(new_record(&[])),
            Registration::TookOver {
                from: record.clone(),
            },
        ),
        Some(record) => return Err(taken(claimant, record)),
    };
    Ok(NameHold {
        revision: view.node_revision,
        write,
        registration,
    })
}

/// The error that another machine, with this `record`, holds the claimant's name.
pub(super) fn taken(claimant: Claimant<'_>, record: &NodeRecord) -> Error {
    Error::NodeTaken {
        node: claimant.node.clone(),
        ours: NodeRecord {
            addresses: claimant.addresses.unwrap_or_default().to_vec(),
            machine_id: claimant.machine.to_owned(),
        },
        theirs: Box::new(record.clone()),
    }
}
