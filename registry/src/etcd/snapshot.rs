//! Snapshots of all keys, and checks whether a snapshot is still part of etcd's history.

use std::collections::{BTreeMap, VecDeque};

use etcd_client::{
    GetOptions, GetResponse, KeyValue, ResponseHeader, Txn, TxnOp, TxnOpResponse, TxnResponse,
};

use crate::error::Error;
use crate::etcd::EtcdRegistry;
use crate::etcd::error::RequestError;
use crate::etcd::pages::{Pages, end_of};
use crate::policy::RetryBudget;
use crate::snapshot::Snapshot;

/// How many keys that are not ours are read in each gap between our folders, by name only.
const MAX_FOREIGN: i64 = 200;

/// How many keys are kept to detect later that etcd's history was rewritten.
const MAX_RECENT_CHANGES: usize = 32;

/// A revision in the history of an etcd cluster, and how to recognise that history.
#[derive(Debug, Clone)]
pub(super) struct Position {
    pub(super) cluster: u64,
    pub(super) revision: i64,
    /// The keys changed last, with their revisions, or `None` if they were deleted. An etcd that was
    /// restored from a backup, or started empty, hardly ever agrees with all of them. That its ids and
    /// its raft term are the same proves nothing: `etcdutl snapshot restore` computes the ids from the
    /// flags of the members, and terms begin again. So the watch reads everything again later.
    pub(super) recent_changes: VecDeque<(Vec<u8>, Option<i64>)>,
}

impl Position {
    pub(super) fn record_write(&mut self, key: &[u8], revision: i64) {
        self.record(key, Some(revision));
    }

    /// A deletion is part of the history, too: after a restore the key may be there again.
    pub(super) fn record_delete(&mut self, key: &[u8]) {
        self.record(key, None);
    }

    fn record(&mut self, key: &[u8], revision: Option<i64>) {
        self.recent_changes.retain(|(other, _)| other != key);
        self.recent_changes.push_back((key.to_vec(), revision));
        if self.recent_changes.len() > MAX_RECENT_CHANGES {
            self.recent_changes.pop_front();
        }
    }
}

/// The keys written last, of those that were read.
#[derive(Debug, Default)]
struct RecentWrites {
    by_revision: BTreeMap<i64, Vec<u8>>,
}

impl RecentWrites {
    fn add(&mut self, kv: &KeyValue) {
        self.by_revision
            .insert(kv.mod_revision(), kv.key().to_vec());
        if self.by_revision.len() > MAX_RECENT_CHANGES {
            self.by_revision.pop_first();
        }
    }
}

/// The cluster id and the revision in a reply.
pub(super) fn position_of(header: Option<&ResponseHeader>) -> (u64, i64) {
    header.map_or((0, 0), |header| (header.cluster_id(), header.revision()))
}

impl EtcdRegistry {
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, Error> {
        let mut budget = RetryBudget::new(&self.policy);
        let read = async |_| self.read_all().await;
        let (snapshot, _) = self.retry_idempotent(&mut budget, read).await?;
        Ok(snapshot)
    }

    /// Reads everything at one revision: our folders page by page, and of other keys below the
    /// prefix only names.
    pub(super) async fn read_all(&self) -> Result<(Snapshot, Position), RequestError> {
        let folders = [
            self.keys.nodes(),
            self.keys.presences(),
            self.keys.subnets(),
        ];
        let mut reads = vec![TxnOp::get(self.keys.config(), None)];
        reads.extend(self.gaps(&folders).into_iter().map(|(from, end)| {
            let names = GetOptions::new().with_keys_only();
            TxnOp::get(from, Some(names.with_range(end).with_limit(MAX_FOREIGN)))
        }));
        let txn = Txn::new().and_then(reads);
        let reply = self.transaction(txn, self.policy.request_timeout).await?;
        let (cluster, revision) = position_of(reply.header());
        let mut snapshot = Snapshot {
            revision,
            cluster,
            ..Snapshot::default()
        };
        let mut written = RecentWrites::default();
        for get in get_replies(&reply) {
            for kv in get.kvs() {
                snapshot.insert(&self.keys.name(kv.key()), kv.value());
                written.add(kv);
            }
            let named = get.kvs().len();
            let count = usize::try_from(get.count()).unwrap_or(named);
            snapshot.rejected_more += count.saturating_sub(named);
        }
        for folder in &folders {
            let mut pages = Pages::of(self, folder, revision);
            while let Some(page) = pages.next().await? {
                for kv in &page.kvs {
                    let name = self.keys.name(kv.key());
                    if page.is_too_large {
                        snapshot.insert_too_large(&name);
                    } else {
                        snapshot.insert(&name, kv.value());
                    }
                    written.add(kv);
                }
            }
        }
        snapshot.pack();
        let recent_writes = written.by_revision.into_iter();
        let position = Position {
            cluster,
            revision,
            recent_changes: recent_writes.map(|(at, key)| (key, Some(at))).collect(),
        };
        Ok((snapshot, position))
    }

    /// The ranges of keys below the prefix that are neither `config` nor in these folders, which
    /// are in etcd's order.
    fn gaps(&self, folders: &[String]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let config = self.keys.config();
        let mut after_config = config.clone().into_bytes();
        after_config.push(0);
        let mut gaps = vec![(self.keys.base().as_bytes().to_vec(), config.into_bytes())];
        let mut from = after_config;
        for folder in folders {
            gaps.push((from, folder.as_bytes().to_vec()));
            from = end_of(folder);
        }
        gaps.push((from, end_of(self.keys.base())));
        gaps
    }

    /// Whether etcd's history still contains `position`, so that a watch from there misses nothing.
    /// [`RequestError::NotThere`] means that it does not, too.
    pub(super) async fn is_in_history(&self, position: &Position) -> Result<bool, RequestError> {
        if position.recent_changes.is_empty() {
            return Ok(false);
        }
        let then = GetOptions::new()
            .with_revision(position.revision)
            .with_keys_only();
        let reads: Vec<_> = position
            .recent_changes
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
                .recent_changes
                .iter()
                .all(|(_, written)| found.next() == Some(*written)))
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
