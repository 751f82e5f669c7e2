//! The node, machine and session that a decision is made for.

use std::net::IpAddr;

use wire::node::NodeName;

use super::PresenceView;
use crate::records::NodeRecord;
use crate::session::Session;

/// The node and machine that a decision is made for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claimant<'a> {
    pub(crate) node: &'a NodeName,
    pub(crate) machine: &'a str,
    /// Tells machines with one machine id apart; `None` if the caller is no part of a node.
    pub(crate) session: Option<&'a Session>,
    /// The new addresses of the node's record; `None` keeps them.
    pub(crate) addresses: Option<&'a [IpAddr]>,
}

impl Claimant<'_> {
    /// Whether the record is of this machine and this session.
    pub(super) fn holds(&self, record: &NodeRecord) -> bool {
        let session = self.session.map(Session::id);
        record.machine_id == self.machine && record.session.as_deref() == session
    }

    /// Whether `presence` is of the session that this process has, but not its own: a machine that
    /// was copied while it ran.
    pub(super) fn is_copied(&self, presence: &PresenceView) -> bool {
        let is_of = |id: &str| presence.session.as_deref() == Some(id);
        self.session
            .is_some_and(|it| is_of(it.id()) && !it.is_own(presence))
    }
}
