//! Giving a subnet back: the conditions under which its claim is deleted.

use ipnet::IpNet;

use super::name::taken;
use super::{Claimant, Claimed};
use crate::error::Error;
use crate::keys::Key;
use crate::protocol::transaction::{Condition, Transaction, Write};
use crate::records::NodeRecord;

/// What giving a subnet back depends on, at one revision.
#[derive(Debug, Clone)]
pub(crate) struct ClaimView {
    /// The subnet's key, if it exists.
    pub(crate) claim: Option<Claimed>,
    /// The node's record.
    pub(crate) node: Option<NodeRecord>,
    /// The revision of the record's last write; 0 if it does not exist.
    pub(crate) node_revision: i64,
}

/// How the claimant gives `subnet` back; `None` if it has no claim. Conditional on the claim and
/// the node's record being unchanged. The request may arrive late, when its sender is long dead.
/// Therefore a node that adopts a claim writes it again first, see [`super::Commit`].
pub(crate) fn release(
    view: &ClaimView,
    claimant: Claimant<'_>,
    subnet: &IpNet,
) -> Result<Option<Transaction>, Error> {
    let Some(claim) = &view.claim else {
        return Ok(None);
    };
    if !claim.is_by(claimant.node) {
        return Err(Error::NotOwned {
            subnet: *subnet,
            node: claimant.node.clone(),
            owner: claim.owner.clone(),
        });
    }
    if let Some(record) = view.node.as_ref().filter(|it| !claimant.holds(it)) {
        return Err(taken(claimant, record, None));
    }
    let key = Key::Subnet(*subnet);
    Ok(Some(Transaction {
        conditions: vec![
            Condition::new(key.clone(), claim.revision),
            Condition::new(Key::Node(claimant.node.clone()), view.node_revision),
        ],
        writes: vec![Write::Delete(key)],
    }))
}
