//! Giving a subnet back.

use ipnet::IpNet;

use super::name::taken;
use super::{Claimant, Claimed};
use crate::error::Error;
use crate::keys::Key;
use crate::protocol::transaction::{Condition, Transaction, Write};
use crate::records::NodeRecord;

/// What giving a subnet back rests on, at one revision.
#[derive(Debug, Clone)]
pub(crate) struct ClaimView {
    /// The subnet's key, if it exists.
    pub(crate) claim: Option<Claimed>,
    /// The node's record.
    pub(crate) node: Option<NodeRecord>,
    /// The revision that the record was last written at; 0 when it does not exist.
    pub(crate) node_revision: i64,
}

/// How `me` gives back `subnet`; `None` if nobody claims it. It happens only if neither the claim
/// nor the node's record was written since. It may arrive late, when whoever sent it is long dead:
/// so a claim that a node comes to hand out from is one that was written for that, see
/// [`super::Commit`].
pub(crate) fn release(
    view: &ClaimView,
    me: Claimant<'_>,
    subnet: &IpNet,
) -> Result<Option<Transaction>, Error> {
    let Some(claim) = &view.claim else {
        return Ok(None);
    };
    if !claim.is_by(me.node) {
        return Err(Error::NotOwned {
            subnet: *subnet,
            node: me.node.clone(),
            owner: claim.owner.clone(),
        });
    }
    if let Some(record) = view.node.as_ref().filter(|it| it.machine_id != me.machine) {
        return Err(taken(me, record));
    }
    let key = Key::Subnet(*subnet);
    Ok(Some(Transaction {
        conditions: vec![
            Condition::new(key.clone(), claim.revision),
            Condition::new(Key::Node(me.node.clone()), view.node_revision),
        ],
        writes: vec![Write::Delete(key)],
    }))
}
