//! What is kept of a pod.

use std::net::IpAddr;
use std::sync::Arc;

use super::ids::GroupId;
use crate::rules::PodName;

/// What is kept of a pod.
#[derive(Debug)]
pub struct PodRecord {
    /// Its name.
    pub name: PodName,
    /// Its identity.
    pub uid: Box<str>,
    /// For a static pod: the UID under which the runtime knows it.
    pub mirrored_uid: Option<Box<str>>,
    /// The node that it runs on; empty before it is scheduled.
    pub node: Arc<str>,
    /// Its group; `None` for a pod that uses its node's addresses, which no policy selects.
    pub group: Option<GroupId>,
    /// Whether it has ended.
    pub has_ended: bool,
    /// The addresses that the API has of it.
    pub addresses: Box<[IpAddr]>,
    /// Whether this node's ledger has a pod of its name.
    pub(super) is_name_local: bool,
}

impl PodRecord {
    /// Whether its addresses are its own: not its node's, and not perhaps another pod's by now.
    pub fn has_addresses(&self) -> bool {
        self.group.is_some() && !self.has_ended
    }
}
