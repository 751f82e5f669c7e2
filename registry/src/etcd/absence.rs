//! Absent nodes: counts how long a node is absent, and forgets it after that. The counts are beside
//! the network's keys in etcd.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use etcd_client::{
    Client, Compare, CompareOp, GetOptions, KeyValue, LeaseGrantResponse, PutOptions, Txn, TxnOp,
};
use serde::{Deserialize, Serialize};
use wire::node::NodeName;

use super::EtcdRegistry;
use super::forget::NodeFootprint;
use crate::error::Error;
use crate::etcd::error::RequestError;
use crate::etcd::pages::{Pages, kv};
use crate::etcd::snapshot::{get_replies, position_of};
use crate::etcd::txn::Next;
use crate::keys::Key;
use crate::liveness::{Absent, Census, Forgotten};
use crate::policy::RetryBudget;
use crate::records::{read_value, write_value};

/// How many presences are read to find one of a registered node. Others may exist, written by other
/// programs.
const MAX_PRESENCES_READ: i64 = 16;

/// The value of the key that counts an absence; see the fields of [`Absent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Count {
    seconds: u64,
    record: i64,
}

impl EtcdRegistry {
    pub(crate) async fn first_present(&self) -> Result<Option<NodeName>, Error> {
        let first = GetOptions::new()
            .with_prefix()
            .with_keys_only()
            .with_limit(MAX_PRESENCES_READ);
        let read = async |limit| {
            let (key, first) = (self.keys.presences(), first.clone());
            let get = |client| async move { kv(&client).get(key, Some(first)).await };
            self.with_connection(limit, get).await
        };
        let mut budget = RetryBudget::new(&self.policy);
        let reply = self.retry_idempotent(&mut budget, read).await?;
        let found: Vec<_> = reply
            .kvs()
            .iter()
            .filter_map(|kv| self.node_of(kv))
            .collect();
        let count = GetOptions::new().with_count_only();
        let get_record = |node| TxnOp::get(self.keys.node(node), Some(count.clone()));
        let txn = Txn::new().and_then(found.iter().map(get_record).collect::<Vec<_>>());
        let read = |limit| self.transaction(txn.clone(), limit);
        let reply = self.retry_idempotent(&mut budget, read).await?;
        let registered = get_replies(&reply).map(|record| record.count() > 0);
        let mut both = found.into_iter().zip(registered);
        Ok(both.find_map(|(node, is_registered)| is_registered.then_some(node)))
    }

    pub(crate) async fn census(&self) -> Result<Census, Error> {
        let names = GetOptions::new().with_prefix().with_keys_only();
        let txn = Txn::new().and_then([
            TxnOp::get(self.keys.nodes(), Some(names.clone())),
            TxnOp::get(self.keys.presences(), Some(names)),
        ]);
        let prefix = self.keys.absences();
        let mut budget = RetryBudget::new(&self.policy);
        let read = async |limit| {
            let reply = self.transaction(txn.clone(), limit).await?;
            let mut pages = Pages::of(self, &prefix, position_of(reply.header()).1);
            let mut counts = Vec::new();
            while let Some(page) = pages.next().await? {
                counts.extend(page.kvs);
            }
            Ok((reply, counts))
        };
        let (reply, counts) = self.retry_idempotent(&mut budget, read).await?;
        let replies: Vec<_> = get_replies(&reply).collect();
        let [records, presences] = &replies[..] else {
            return Err(self.unreachable("the reply is incomplete".to_owned()));
        };
        let name = |kv: &KeyValue| Some(kv.key().strip_prefix(prefix.as_bytes())?.to_vec());
        let counts = counts.iter();
        let counts: BTreeMap<_, _> = counts.filter_map(|kv| Some((name(kv)?, kv))).collect();
        let present = presences.kvs().iter().filter_map(|kv| self.node_of(kv));
        let present: BTreeSet<_> = present.collect();
        let mut census = Census::default();
        for record in records.kvs() {
            let Some(node) = self.node_of(record) else {
                continue;
            };
            if present.contains(&node) {
                census.present += 1;
                continue;
            }
            let count = counts.get(node.as_str().as_bytes());
            census.absent.insert(node, absent(record, count.copied()));
        }
        Ok(census)
    }

    /// The node in a key.
    fn node_of(&self, kv: &KeyValue) -> Option<NodeName> {
        match self.keys.name(kv.key()).parse() {
            Ok(Key::Node(node) | Key::Presence(node)) => Some(node),
            _ => None,
        }
    }

    pub(crate) async fn count_absence(
        &self,
        node: &NodeName,
        absent: &Absent,
        seconds: u64,
    ) -> Result<Option<i64>, Error> {
        let record = absent.record;
        let count = write_value(&Count { seconds, record });
        let txn = Txn::new()
            .when(self.is_still_absent(node, absent))
            .and_then([TxnOp::put(self.keys.absence(node), count, None)]);
        let reply = self.transaction(txn, self.policy.request_timeout).await;
        match reply {
            Ok(reply) if reply.succeeded() => Ok(Some(position_of(reply.header()).1)),
            Err(RequestError::Refused(error)) => Err(*error),
            // The next census shows whether it was written.
            Ok(_) | Err(_) => Ok(None),
        }
    }

    /// The conditions that the node's record, its absence and its count are unchanged.
    fn is_still_absent(&self, node: &NodeName, absent: &Absent) -> Vec<Compare> {
        let unchanged = |key, revision| Compare::mod_revision(key, CompareOp::Equal, revision);
        vec![
            unchanged(self.keys.node(node), absent.record),
            unchanged(self.keys.presence(node), 0),
            unchanged(self.keys.absence(node), absent.counted),
        ]
    }

    pub(crate) async fn forget_absent(
        &self,
        node: &NodeName,
        absent: &Absent,
        pause: Duration,
    ) -> Result<Option<Forgotten>, Error> {
        let mut budget = RetryBudget::new(&self.policy);
        let grant = |limit| self.lease(pause, limit);
        let lease = self.retry_idempotent(&mut budget, grant).await?.id();
        let mut forgotten: Option<Forgotten> = None;
        let decide = |footprint: NodeFootprint| {
            if footprint.node_revision != absent.record || footprint.presence_revision != 0 {
                // If nothing is left, the last reply was lost. Else the node is back, or was
                // changed by another node.
                let is_gone = footprint.node_revision == 0 && footprint.claims.is_empty();
                return Ok(Next::Return(forgotten.take().filter(|_| is_gone)));
            }
            let forgotten = forgotten.get_or_insert_default();
            forgotten.add(&footprint.content);
            let (mut conditions, mut writes) = self.encode(&footprint.deletion(node, false));
            conditions.extend(self.is_still_absent(node, absent));
            let is_last = footprint.fits_one_transaction();
            if is_last {
                let (condition, write) = self.pause(node, lease);
                conditions.push(condition);
                writes.push(write);
            }
            Ok(Next::Once {
                conditions,
                writes,
                end: is_last.then(|| Some(forgotten.clone())),
                otherwise: None,
            })
        };
        self.read_decide_commit(|limit| self.footprint(node, limit), decide)
            .await
    }

    /// Blocks forgetting any other node until the lease expires, if that is not blocked yet.
    fn pause(&self, node: &NodeName, lease: i64) -> (Compare, TxnOp) {
        let key = self.keys.pause();
        let lease = PutOptions::new().with_lease(lease);
        (
            Compare::create_revision(key.clone(), CompareOp::Equal, 0),
            TxnOp::put(key, node.as_str(), Some(lease)),
        )
    }

    /// Grants a lease of this length, in whole seconds. If it is not used, it expires.
    pub(super) async fn lease(
        &self,
        length: Duration,
        limit: Duration,
    ) -> Result<LeaseGrantResponse, RequestError> {
        let seconds = i64::try_from(length.as_secs()).unwrap_or(i64::MAX).max(1);
        let grant =
            |client: Client| async move { client.lease_client().grant(seconds, None).await };
        self.with_connection(limit, grant).await
    }
}

/// The absence of a node, from its record and its count.
fn absent(record: &KeyValue, count: Option<&KeyValue>) -> Absent {
    let read = count.and_then(|count| read_value::<Count>(count.value()).ok());
    let is_of_this = |count: &Count| count.record == record.mod_revision();
    Absent {
        record: record.mod_revision(),
        counted: count.map_or(0, KeyValue::mod_revision),
        seconds: read.filter(is_of_this).map_or(0, |count| count.seconds),
    }
}
