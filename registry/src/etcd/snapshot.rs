//! Snapshots of all keys, and checks whether a snapshot is still part of etcd's history.

use std::collections::{BTreeMap, VecDeque};

use etcd_client::{
    Client, GetOptions, GetResponse, KeyValue, KvClient, ResponseHeader, Txn, TxnOp, TxnOpResponse,
    TxnResponse,
};

use crate::error::Error;
use crate::etcd::error::RequestError;
use crate::etcd::{Etcd, MAX_REPLY};
use crate::policy::RetryBudget;
use crate::snapshot::Snapshot;

/// How many keys are read per request.
const PAGE: i64 = 1_000;

/// How many keys are kept to detect later that etcd's history was rewritten.
const MAX_RECENT_WRITES: usize = 8;

/// A revision in the history of an etcd cluster, and how to recognise that history.
#[derive(Debug, Clone)]
pub(super) struct Position {
    pub(super) cluster: u64,
    pub(super) revision: i64,
    /// The keys written last, with their revisions. An etcd that was restored from a backup, or
    /// started empty, does not have all of them.
    pub(super) recent_writes: VecDeque<(Vec<u8>, i64)>,
}

impl Position {
    pub(super) fn record_write(&mut self, key: &[u8], revision: i64) {
        self.record_delete(key);
        self.recent_writes.push_back((key.to_vec(), revision));
        if self.recent_writes.len() > MAX_RECENT_WRITES {
            self.recent_writes.pop_front();
        }
    }

    pub(super) fn record_delete(&mut self, key: &[u8]) {
        self.recent_writes.retain(|(other, _)| other != key);
    }
}

pub(super) fn kv(client: &Client) -> KvClient {
    client.kv_client().max_decoding_message_size(MAX_REPLY)
}

/// The end of the range of all keys with this `prefix`, which ends with `/`.
fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

/// The cluster id and the revision in a reply.
pub(super) fn position_of(header: Option<&ResponseHeader>) -> (u64, i64) {
    header.map_or((0, 0), |header| (header.cluster_id(), header.revision()))
}

impl Etcd {
    /// The keys after `after` that start with `prefix`, at `revision`.
    pub(super) async fn page(
        &self,
        after: &[u8],
        prefix: &str,
        revision: i64,
    ) -> Result<GetResponse, RequestError> {
        let mut from = after.to_vec();
        from.push(0);
        let options = GetOptions::new()
            .with_range(end_of(prefix))
            .with_limit(PAGE)
            .with_revision(revision);
        self.with_connection(self.policy.request_timeout, |client| async move {
            kv(&client).get(from, Some(options)).await
        })
        .await
    }

    pub(crate) async fn snapshot(&self) -> Result<Snapshot, Error> {
        let mut budget = RetryBudget::new(&self.policy);
        let read = async |_| self.read_all().await;
        let (snapshot, _) = self.retry_idempotent(&mut budget, read).await?;
        Ok(snapshot)
    }

    /// Reads everything at one revision, page by page.
    pub(super) async fn read_all(&self) -> Result<(Snapshot, Position), RequestError> {
        let base = self.keys.base();
        let from = base.to_owned();
        let options = GetOptions::new().with_prefix().with_limit(PAGE);
        let mut page = self
            .with_connection(self.policy.request_timeout, |client| async move {
                kv(&client).get(from, Some(options)).await
            })
            .await?;
        let (cluster, revision) = position_of(page.header());
        let mut snapshot = Snapshot {
            revision,
            cluster,
            ..Snapshot::default()
        };
        let mut written = BTreeMap::new();
        loop {
            for kv in page.kvs() {
                snapshot.insert(&self.keys.name(kv.key()), kv.value());
                written.insert(kv.mod_revision(), kv.key().to_vec());
                if written.len() > MAX_RECENT_WRITES {
                    written.pop_first();
                }
            }
            match page.kvs().last() {
                Some(last) if page.more() => page = self.page(last.key(), base, revision).await?,
                _ => break,
            }
        }
        let recent_writes = written
            .into_iter()
            .map(|(revision, key)| (key, revision))
            .collect();
        Ok((
            snapshot,
            Position {
                cluster,
                revision,
                recent_writes,
            },
        ))
    }

    /// Whether etcd's history still contains `position`, so that a watch from there misses nothing.
    /// [`RequestError::NotThere`] means that it does not, too.
    pub(super) async fn is_in_history(&self, position: &Position) -> Result<bool, RequestError> {
        if position.recent_writes.is_empty() {
            return Ok(false);
        }
        let then = GetOptions::new()
            .with_revision(position.revision)
            .with_keys_only();
        let reads: Vec<_> = position
            .recent_writes
            .iter()
            .map(|(key, _)| TxnOp::get(key.clone(), Some(then.clone())))
            .collect();
        let txn = Txn::new().and_then(reads);
        let reply = self.transaction(txn, self.policy.request_timeout).await?;
        let (cluster, _) = position_of(reply.header());
        let mut found =
            get_replies(&reply).map(|get| get.kvs().first().map(KeyValue::mod_revision));
        Ok(cluster == position.cluster
            && position
                .recent_writes
                .iter()
                .all(|(_, written)| found.next() == Some(Some(*written))))
    }
}

/// The replies to the reads in a transaction, in their order.
pub(super) fn get_replies(reply: &TxnResponse) -> impl Iterator<Item = GetResponse> {
    reply
        .op_responses()
        .into_iter()
        .filter_map(|reply| match reply {
            TxnOpResponse::Get(get) => Some(get),
            _ => None,
        })
}
