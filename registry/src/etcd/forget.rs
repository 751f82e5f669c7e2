//! Forgetting: what a node has in the registry goes, by an operator's word.

use etcd_client::{Compare, CompareOp, GetOptions, KeyValue, Txn, TxnOp};
use ipnet::IpNet;
use tokio::time::Instant;
use wire::node::NodeName;

use super::Etcd;
use super::read::{gets, kv, place};
use super::reason::Failure;
use crate::error::Error;
use crate::forget::{Forget, Forgotten};
use crate::keys::Key;
use crate::policy::Patience;
use crate::records::{Claim, read_value, write_value};

/// A transaction deletes at most so many claims: etcd limits one to 128 conditions.
const MOST_CLAIMS: usize = 100;

/// As many claims are read with the rest in one reply.
const PAGE: i64 = 5_000;

/// What a node has in the registry, at one revision.
pub(super) struct Traces {
    pub(super) node_revision: i64,
    /// 0 when the node is not present.
    pub(super) presence_revision: i64,
    /// The claims, and the revisions they were made at.
    pub(super) claims: Vec<(IpNet, i64)>,
    pub(super) shown: Forgotten,
}

impl Traces {
    /// Whether one transaction can delete them all.
    pub(super) fn fit_one(&self) -> bool {
        self.claims.len() <= MOST_CLAIMS
    }
}

impl Etcd {
    pub(crate) async fn forget(&self, node: &NodeName, force: bool) -> Result<Forget, Error> {
        let mut patience = Patience::new(&self.policy);
        let mut forgotten: Option<Forgotten> = None;
        loop {
            let began = Instant::now();
            let traces = match self.traces(node).await {
                Ok(traces) => traces,
                Err(failure) => {
                    self.retry(&mut patience, began, failure).await?;
                    continue;
                }
            };
            let is_present = traces.presence_revision != 0;
            if is_present && !force {
                return Ok(Forget::Present(traces.shown.presence));
            }
            if traces.node_revision == 0 && !is_present && traces.claims.is_empty() {
                return Ok(forgotten.map_or(Forget::Unknown, Forget::Done));
            }
            match &mut forgotten {
                Some(before) => before.add(&traces.shown),
                None => forgotten = Some(traces.shown.clone()),
            }
            // What it left is seen in the next round, whether or not the reply came.
            let (conditions, deletes) = self.deletion(node, &traces, force);
            let txn = Txn::new().when(conditions).and_then(deletes);
            let limit = patience.limit(self.policy.request);
            let reply = self.once(limit, |client| async move { kv(&client).txn(txn).await });
            match reply.await {
                Ok(reply) if reply.succeeded() && traces.fit_one() => {
                    return Ok(forgotten.map_or(Forget::Unknown, Forget::Done));
                }
                Ok(_) => {}
                Err(failure) => self.retry(&mut patience, began, failure).await?,
            }
        }
    }

    /// Deletes the claims, and with the last of them the rest, so that a node with more of them
    /// than one transaction can delete is known, and can be forgotten, until all are gone.
    pub(super) fn deletion(
        &self,
        node: &NodeName,
        traces: &Traces,
        force: bool,
    ) -> (Vec<Compare>, Vec<TxnOp>) {
        let unchanged = |key, revision| Compare::mod_revision(key, CompareOp::Equal, revision);
        let mut conditions = vec![unchanged(self.keys.node(node), traces.node_revision)];
        if !force {
            conditions.push(unchanged(self.keys.presence(node), 0));
        }
        let mut deletes = Vec::new();
        for (subnet, revision) in traces.claims.iter().take(MOST_CLAIMS) {
            conditions.push(unchanged(self.keys.subnet(subnet), *revision));
            deletes.push(TxnOp::delete(self.keys.subnet(subnet), None));
        }
        if traces.fit_one() {
            deletes.push(TxnOp::delete(self.keys.node(node), None));
            deletes.push(TxnOp::delete(self.keys.presence(node), None));
            deletes.push(TxnOp::delete(self.keys.absence(node), None));
        }
        (conditions, deletes)
    }

    pub(super) async fn traces(&self, node: &NodeName) -> Result<Traces, Failure> {
        let claims = GetOptions::new().with_prefix().with_limit(PAGE);
        let txn = Txn::new().and_then([
            TxnOp::get(self.keys.node(node), None),
            TxnOp::get(self.keys.presence(node), None),
            TxnOp::get(self.keys.subnets(), Some(claims)),
        ]);
        let reply = self
            .once(self.policy.request, |client| async move {
                kv(&client).txn(txn).await
            })
            .await?;
        let (_, revision) = place(reply.header());
        let mut replies = gets(&reply);
        let (Some(record), Some(presence), Some(mut page)) =
            (replies.next(), replies.next(), replies.next())
        else {
            return Err(Failure::Lost("the reply is incomplete".to_owned()));
        };
        let (record, presence) = (record.kvs().first(), presence.kvs().first());
        let mut claims = Vec::new();
        loop {
            claims.extend(page.kvs().iter().filter_map(|kv| self.claim_by(node, kv)));
            match page.kvs().last() {
                Some(last) if page.more() => {
                    let after = last.key().to_vec();
                    page = self.page(&after, &self.keys.subnets(), revision).await?;
                }
                _ => break,
            }
        }
        Ok(Traces {
            node_revision: record.map_or(0, KeyValue::mod_revision),
            presence_revision: presence.map_or(0, KeyValue::mod_revision),
            shown: Forgotten {
                record: record.and_then(|kv| read_value(kv.value()).ok()),
                presence: presence.and_then(|kv| read_value(kv.value()).ok()),
                subnets: claims.iter().map(|(subnet, _)| *subnet).collect(),
            },
            claims,
        })
    }

    /// The subnet that a key claims for `node`, and the revision of the claim.
    fn claim_by(&self, node: &NodeName, record: &KeyValue) -> Option<(IpNet, i64)> {
        let Ok(Key::Subnet(subnet)) = self.keys.name(record.key()).parse() else {
            return None;
        };
        let claim: Claim = read_value(record.value()).ok()?;
        (claim.node == *node).then(|| (subnet, record.mod_revision()))
    }

    pub(crate) async fn disclaim(&self, node: &NodeName, subnet: &IpNet) -> Result<bool, Error> {
        let mut patience = Patience::new(&self.policy);
        loop {
            let view = self.claim_of(subnet, node, &mut patience).await?;
            let is_known = view.node_revision != 0;
            let key = self.keys.subnet(subnet);
            let (revision, write) = match view.claim {
                None if is_known => return Ok(false),
                None => {
                    let claim = write_value(&Claim { node: node.clone() });
                    (0, TxnOp::put(key.clone(), claim, None))
                }
                Some((revision, Some(owner))) if owner == *node && !is_known => {
                    (revision, TxnOp::delete(key.clone(), None))
                }
                Some(_) => return Ok(false),
            };
            let unchanged = |key, revision| Compare::mod_revision(key, CompareOp::Equal, revision);
            let conditions = [unchanged(key, revision), unchanged(self.keys.node(node), 0)];
            let txn = Txn::new().when(conditions).and_then([write]);
            let began = Instant::now();
            let limit = patience.limit(self.policy.request);
            match self
                .once(limit, |client| async move { kv(&client).txn(txn).await })
                .await
            {
                Ok(reply) if reply.succeeded() && revision != 0 => return Ok(true),
                Ok(_) => {}
                Err(failure) => self.retry(&mut patience, began, failure).await?,
            }
        }
    }
}
