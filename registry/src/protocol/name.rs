//! Which machine holds a node's name: registration and take-over.

use std::net::IpAddr;

use super::{Claimant, PresenceView, RegistryView};
use crate::error::Error;
use crate::records::NodeRecord;

/// How the node holds its name. All writes are conditional on this, so that a machine which lost
/// the name cannot write in that name any more, not even with a request that it sent before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameHold {
    /// The record's revision; 0 if the record must not exist.
    pub(crate) revision: i64,
    /// The required revision of the presence, if the record was of another session: 0 if the
    /// presence must not exist.
    pub(crate) presence: Option<i64>,
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
    /// The record was this session's, and differed: the node's addresses changed, or another
    /// program wrote it.
    Updated {
        /// The record before.
        from: NodeRecord,
    },
    /// The record was of an earlier session of this machine, or of a clone that is gone.
    Resumed {
        /// The record before.
        from: NodeRecord,
    },
    /// The name belonged to another machine, whose `routed` is gone.
    TookOver {
        /// The record of the other machine.
        from: NodeRecord,
    },
}

/// Decides how the claimant holds its name: by the record, or because no other session is present.
pub(crate) fn hold(view: &RegistryView, claimant: Claimant<'_>) -> Result<NameHold, Error> {
    let new_record = |addresses: &[IpAddr]| NodeRecord {
        addresses: claimant.addresses.unwrap_or(addresses).to_vec(),
        machine_id: claimant.machine.to_owned(),
        session: claimant.session.map(|session| session.id().to_owned()),
    };
    let presence = view.presence.as_ref();
    let is_own = |it: &PresenceView| claimant.session.is_some_and(|session| session.is_own(it));
    let other = presence.filter(|it| !is_own(it));
    let (write, registration) = match (&view.node, other) {
        (Some(record), Some(other)) if claimant.is_copied(other) => {
            return Err(taken(claimant, record, presence));
        }
        (Some(record), _) if claimant.holds(record) => {
            let new = new_record(&record.addresses);
            let from = record.clone();
            if new == *record {
                (None, Registration::Unchanged)
            } else {
                (Some(new), Registration::Updated { from })
            }
        }
        (Some(record), Some(_)) => return Err(taken(claimant, record, presence)),
        (Some(record), None) if record.machine_id == claimant.machine => {
            let from = record.clone();
            let new = new_record(&record.addresses);
            (Some(new), Registration::Resumed { from })
        }
        (Some(record), None) => {
            let from = record.clone();
            (Some(new_record(&[])), Registration::TookOver { from })
        }
        (None, Some(other)) if claimant.session.is_some() => {
            let unknown = NodeRecord {
                addresses: Vec::new(),
                machine_id: "unknown".to_owned(),
                session: other.session.clone(),
            };
            return Err(taken(claimant, &unknown, presence));
        }
        (None, _) => (Some(new_record(&[])), Registration::New),
    };
    let is_other_session = matches!(
        registration,
        Registration::Resumed { .. } | Registration::TookOver { .. }
    );
    Ok(NameHold {
        revision: view.node_revision,
        presence: is_other_session.then(|| presence.map_or(0, |it| it.revision)),
        write,
        registration,
    })
}

/// Whether the claimant may write its presence: it holds the name by the `record`, and the present
/// `presence` is its own or of a session that lost the name.
pub(crate) fn may_write_presence(
    record: &NodeRecord,
    presence: Option<&PresenceView>,
    claimant: Claimant<'_>,
) -> Result<(), Error> {
    if claimant.holds(record) && !presence.is_some_and(|it| claimant.is_copied(it)) {
        return Ok(());
    }
    Err(taken(claimant, record, presence))
}

/// The error that another machine, with this `record`, holds the claimant's name.
pub(super) fn taken(
    claimant: Claimant<'_>,
    record: &NodeRecord,
    presence: Option<&PresenceView>,
) -> Error {
    let mut theirs = record.clone();
    // The address at which the other machine is alive comes first.
    if let Some(address) = presence.and_then(|it| it.address) {
        theirs.addresses.retain(|it| *it != address);
        theirs.addresses.insert(0, address);
    }
    Error::NodeTaken {
        node: claimant.node.clone(),
        ours: NodeRecord {
            addresses: claimant.addresses.unwrap_or_default().to_vec(),
            machine_id: claimant.machine.to_owned(),
            session: None,
        },
        theirs: Box::new(theirs),
    }
}
