//! Whose a node's name is.

use std::net::IpAddr;

use super::{Claimant, RegistryView};
use crate::error::Error;
use crate::records::NodeRecord;

/// How the node holds its name. All that it writes rests on this, so that a machine which has lost
/// the name can write nothing in that name any more, not even with a request sent before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameHold {
    /// The record's revision; 0 for a record that must not exist.
    pub(crate) revision: i64,
    /// The new record, where it changes.
    pub(crate) write: Option<NodeRecord>,
    pub(crate) registration: Registration,
}

/// What became of a node's registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// The node was not known before.
    New,
    /// Nothing was to be written.
    Unchanged,
    /// The node's addresses changed.
    Updated,
    /// The name belonged to another machine, whose `routed` is gone.
    TookOver {
        /// What the other machine had registered.
        from: NodeRecord,
    },
}

impl NameHold {
    /// The other machine must not have come back meanwhile.
    pub(crate) fn needs_absence(&self) -> bool {
        matches!(self.registration, Registration::TookOver { .. })
    }
}

/// Decides how `me` comes to hold its name.
pub(crate) fn hold(view: &RegistryView, me: Claimant<'_>) -> Result<NameHold, Error> {
    let wanted = |addresses: &[IpAddr]| NodeRecord {
        addresses: me.addresses.unwrap_or(addresses).to_vec(),
        machine_id: me.machine.to_owned(),
    };
    let (write, registration) = match &view.node {
        None => (Some(wanted(&[])), Registration::New),
        Some(record) if record.machine_id == me.machine => {
            let new = wanted(&record.addresses);
            if new == *record {
                (None, Registration::Unchanged)
            } else {
                (Some(new), Registration::Updated)
            }
        }
        Some(record) if !view.is_present => (
            Some(wanted(&[])),
            Registration::TookOver {
                from: record.clone(),
            },
        ),
        Some(record) => return Err(taken(me, record)),
    };
    Ok(NameHold {
        revision: view.node_revision,
        write,
        registration,
    })
}

/// That another machine, which has registered `record`, is the node that `me` says it is.
pub(super) fn taken(me: Claimant<'_>, record: &NodeRecord) -> Error {
    Error::NodeTaken {
        node: me.node.clone(),
        ours: NodeRecord {
            addresses: me.addresses.unwrap_or_default().to_vec(),
            machine_id: me.machine.to_owned(),
        },
        theirs: Box::new(record.clone()),
    }
}
