//! Forgetting a node on the operator's command: deletes its record, claims and presence.

use std::time::Duration;

use etcd_client::{KeyValue, Txn, TxnOp};
use ipnet::IpNet;
use wire::node::NodeName;

use super::EtcdRegistry;
use crate::error::Error;
use crate::etcd::error::RequestError;
use crate::etcd::pages::Pages;
use crate::etcd::snapshot::{get_replies, position_of};
use crate::etcd::txn::Next;
use crate::keys::Key;
use crate::liveness::{Forget, Forgotten};
use crate::protocol::transaction::{Condition, Transaction, Write};
use crate::records::{Claim, read_value};

/// The most claims that one transaction deletes. etcd limits a transaction to 128 conditions.
const MAX_CLAIMS: usize = 100;

/// What the registry holds of a node, at one revision.
pub(super) struct NodeFootprint {
    pub(super) node_revision: i64,
    /// 0 if the node is absent.
    pub(super) presence_revision: i64,
    /// The claims, with their revisions.
    pub(super) claims: Vec<(IpNet, i64)>,
    pub(super) content: Forgotten,
}

impl NodeFootprint {
    /// Deletes the claims, and with the last of them the rest. So a node with more claims than fit
    /// into one transaction stays known, and can be forgotten again, until all of them are gone.
    pub(super) fn deletion(&self, node: &NodeName, force: bool) -> Transaction {
        let presence = Key::Presence(node.clone());
        let record = Key::Node(node.clone());
        let mut conditions = vec![Condition::new(record.clone(), self.node_revision)];
        if !force {
            conditions.push(Condition::new(presence.clone(), 0));
        }
        let mut writes = Vec::new();
        for (subnet, revision) in self.claims.iter().take(MAX_CLAIMS) {
            conditions.push(Condition::new(Key::Subnet(*subnet), *revision));
            writes.push(Write::Delete(Key::Subnet(*subnet)));
        }
        if self.fits_one_transaction() {
            writes.extend([Write::Delete(record), Write::Delete(presence)]);
            writes.push(Write::DeleteAbsence(node.clone()));
        }
        Transaction { conditions, writes }
    }

    /// Whether one transaction deletes all claims.
    pub(super) fn fits_one_transaction(&self) -> bool {
        self.claims.len() <= MAX_CLAIMS
    }
}

impl EtcdRegistry {
    pub(crate) async fn forget(&self, node: &NodeName, force: bool) -> Result<Forget, Error> {
        let mut forgotten: Option<Forgotten> = None;
        let decide = |footprint: NodeFootprint| {
            let is_present = footprint.presence_revision != 0;
            if is_present && !force {
                return Ok(Next::Return(Forget::Present(footprint.content.presence)));
            }
            if footprint.node_revision == 0 && !is_present && footprint.claims.is_empty() {
                let forgotten = forgotten.take();
                return Ok(Next::Return(
                    forgotten.map_or(Forget::Unknown, Forget::Done),
                ));
            }
            let forgotten = forgotten.get_or_insert_default();
            forgotten.add(&footprint.content);
            let end = footprint
                .fits_one_transaction()
                .then(|| Forget::Done(forgotten.clone()));
            Ok(Next::Commit(footprint.deletion(node, force), end))
        };
        self.read_decide_commit(|limit| self.footprint(node, limit), decide)
            .await
    }

    pub(super) async fn footprint(
        &self,
        node: &NodeName,
        limit: Duration,
    ) -> Result<NodeFootprint, RequestError> {
        let txn = Txn::new().and_then([
            TxnOp::get(self.keys.node(node), None),
            TxnOp::get(self.keys.presence(node), None),
        ]);
        let reply = self.transaction(txn, limit).await?;
        let (_, revision) = position_of(reply.header());
        let mut replies = get_replies(&reply);
        let (Some(record), Some(presence)) = (replies.next(), replies.next()) else {
            return Err(RequestError::Lost("the reply is incomplete".to_owned()));
        };
        let (record, presence) = (record.kvs().first(), presence.kvs().first());
        let mut claims = Vec::new();
        let mut pages = Pages::of(self, &self.keys.subnets(), revision);
        while let Some(page) = pages.next().await? {
            claims.extend(page.kvs.iter().filter_map(|kv| self.claim_by(node, kv)));
        }
        Ok(NodeFootprint {
            node_revision: record.map_or(0, KeyValue::mod_revision),
            presence_revision: presence.map_or(0, KeyValue::mod_revision),
            content: Forgotten {
                record: record.and_then(|kv| read_value(kv.value()).ok()),
                presence: presence.and_then(|kv| read_value(kv.value()).ok()),
                subnets: claims.iter().map(|(subnet, _)| *subnet).collect(),
            },
            claims,
        })
    }

    /// The subnet that a key claims for `node`, and the claim's revision.
    fn claim_by(&self, node: &NodeName, record: &KeyValue) -> Option<(IpNet, i64)> {
        let Ok(Key::Subnet(subnet)) = self.keys.name(record.key()).parse() else {
            return None;
        };
        let claim: Claim = read_value(record.value()).ok()?;
        (claim.node == *node).then(|| (subnet, record.mod_revision()))
    }

    pub(crate) async fn disclaim(&self, node: &NodeName, subnet: &IpNet) -> Result<bool, Error> {
        let key = Key::Subnet(*subnet);
        let commit = |revision, write, end| {
            let conditions = vec![
                Condition::new(key.clone(), revision),
                Condition::new(Key::Node(node.clone()), 0),
            ];
            let writes = vec![write];
            Ok(Next::Commit(Transaction { conditions, writes }, end))
        };
        self.read_decide_commit(
            |limit| self.claim_of(subnet, node, limit),
            |view| match view.claim {
                _ if view.node_revision != 0 => Ok(Next::Return(false)),
                None => commit(0, Write::Claim(*subnet, node.clone()), None),
                Some(claim) if claim.is_by(node) => {
                    commit(claim.revision, Write::Delete(key.clone()), Some(true))
                }
                Some(_) => Ok(Next::Return(false)),
            },
        )
        .await
    }
}
