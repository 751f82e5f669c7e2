//! Reading: a node's view, and all there is.

use std::collections::{BTreeMap, VecDeque};

use etcd_client::{Client, Compare, CompareOp, GetOptions, GetResponse, KeyValue, ResponseHeader};
use etcd_client::{KvClient, Txn, TxnOp, TxnOpResponse, TxnResponse};
use ipnet::IpNet;
use tokio::time::Instant;
use wire::node::NodeName;

use super::reason::Failure;
use super::{Etcd, LARGEST_REPLY};
use crate::error::Error;
use crate::keys::Key;
use crate::policy::Patience;
use crate::protocol::View;
use crate::records::{Claim, Network, read_network, read_value, write_value};
use crate::snapshot::Snapshot;

/// As many keys are read at once.
const PAGE: i64 = 1_000;

/// As many claims come with a view in one reply; there are more only in very large networks.
const VIEW_PAGE: i64 = 5_000;

/// As many keys are remembered to tell later whether history was rewritten.
const WITNESSES: usize = 8;

/// A place in the history of one etcd, and how to recognise it.
#[derive(Debug, Clone)]
pub(super) struct Position {
    pub(super) cluster: u64,
    pub(super) revision: i64,
    /// The latest keys that were written, with the revisions at which they were. An etcd that
    /// came up from a backup or with nothing does not have them all.
    pub(super) witnesses: VecDeque<(Vec<u8>, i64)>,
}

impl Position {
    pub(super) fn wrote(&mut self, key: &[u8], revision: i64) {
        self.erased(key);
        self.witnesses.push_back((key.to_vec(), revision));
        if self.witnesses.len() > WITNESSES {
            self.witnesses.pop_front();
        }
    }

    pub(super) fn erased(&mut self, key: &[u8]) {
        self.witnesses.retain(|(other, _)| other != key);
    }
}

pub(super) fn kv(client: &Client) -> KvClient {
    client.kv_client().max_decoding_message_size(LARGEST_REPLY)
}

/// The end of the range of all keys that start with `prefix`, which ends with `/`.
fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

fn place(header: Option<&ResponseHeader>) -> (u64, i64) {
    header.map_or((0, 0), |header| (header.cluster_id(), header.revision()))
}

impl Etcd {
    /// Writes `config` if it is absent, and compares it with our own.
    pub(crate) async fn agree(&self) -> Result<(), Error> {
        let mut patience = Patience::new(&self.policy);
        let txn = self.with_config(vec![TxnOp::get(self.keys.config(), None)]);
        let reply = self
            .call(&mut patience, |client| {
                let txn = txn.clone();
                async move { kv(&client).txn(txn).await }
            })
            .await?;
        let config = gets(&reply).next();
        self.check_config(config.as_ref().and_then(|config| config.kvs().first()))
            .map(|_| ())
    }

    /// Writes `config` if it is absent, then reads.
    fn with_config(&self, reads: Vec<TxnOp>) -> Txn {
        let config = self.keys.config();
        let mut writes = vec![TxnOp::put(config.clone(), write_value(&self.network), None)];
        writes.extend(reads.clone());
        Txn::new()
            .when([Compare::create_revision(config, CompareOp::Equal, 0)])
            .and_then(writes)
            .or_else(reads)
    }

    /// The revision of `config`, if it agrees with ours.
    fn check_config(&self, config: Option<&KeyValue>) -> Result<i64, Error> {
        let key = self.keys.config();
        let Some(config) = config else {
            return Err(Error::Corrupt {
                key,
                why: "it was deleted meanwhile".to_owned(),
            });
        };
        let theirs: Network = read_network(config.value()).map_err(|why| Error::Corrupt {
            key: key.clone(),
            why,
        })?;
        if theirs.agrees_with(&self.network) {
            return Ok(config.mod_revision());
        }
        Err(Error::Mismatch {
            ours: self.network.clone(),
            theirs,
            key,
        })
    }

    /// What [`View`] is made of, as operations of a transaction.
    pub(super) fn view_reads(&self, node: &NodeName) -> Vec<TxnOp> {
        let claims = GetOptions::new().with_prefix().with_limit(VIEW_PAGE);
        vec![
            TxnOp::get(self.keys.config(), None),
            TxnOp::get(self.keys.node(node), None),
            TxnOp::get(
                self.keys.presence(node),
                Some(GetOptions::new().with_count_only()),
            ),
            TxnOp::get(self.keys.subnets(), Some(claims)),
        ]
    }

    /// Agrees on the network and reads what `node` needs to decide: one request.
    pub(super) async fn view(
        &self,
        node: &NodeName,
        patience: &mut Patience,
    ) -> Result<View, Error> {
        let txn = self.with_config(self.view_reads(node));
        loop {
            let began = Instant::now();
            let limit = patience.limit(self.policy.request);
            let txn = txn.clone();
            let reply = self
                .once(limit, |client| async move { kv(&client).txn(txn).await })
                .await;
            let view = match reply {
                Ok(reply) => self.view_of(node, &reply).await,
                Err(failure) => Err(failure),
            };
            match view {
                Ok(view) => return Ok(view),
                Err(failure) => self.retry(patience, began, failure).await?,
            }
        }
    }

    /// The view in the reply to a transaction that read it, with the claims that found no place.
    pub(super) async fn view_of(
        &self,
        node: &NodeName,
        reply: &TxnResponse,
    ) -> Result<View, Failure> {
        let mut replies = gets(reply);
        let (Some(config), Some(record), Some(presence), Some(claims)) = (
            replies.next(),
            replies.next(),
            replies.next(),
            replies.next(),
        ) else {
            return Err(Failure::Lost("the reply is incomplete".to_owned()));
        };
        let (cluster, revision) = place(reply.header());
        let record = record.kvs().first();
        let mut view = View {
            network: self.network.clone(),
            network_revision: self.check_config(config.kvs().first())?,
            node: record
                .map(|kv| read_value(kv.value()))
                .transpose()
                .map_err(|why| {
                    Failure::from(Error::Corrupt {
                        key: self.keys.node(node),
                        why,
                    })
                })?,
            node_revision: record.map_or(0, KeyValue::mod_revision),
            is_present: presence.count() > 0,
            claims: BTreeMap::new(),
            cluster: Some(cluster),
        };
        self.add_claims(&mut view, claims.kvs());
        let mut last = claims.kvs().last().map(|kv| kv.key().to_vec());
        let mut more = claims.more();
        while let Some(after) = last.filter(|_| more) {
            let page = self.page(&after, &self.keys.subnets(), revision).await?;
            self.add_claims(&mut view, page.kvs());
            last = page.kvs().last().map(|kv| kv.key().to_vec());
            more = page.more();
        }
        Ok(view)
    }

    fn add_claims(&self, view: &mut View, records: &[KeyValue]) {
        for record in records {
            let Ok(Key::Subnet(subnet)) = self.keys.name(record.key()).parse() else {
                continue;
            };
            let claim: Option<Claim> = read_value(record.value()).ok();
            view.claims.insert(subnet, claim.map(|claim| claim.node));
        }
    }

    /// The claim of one subnet: its revision and its owner, where that can be read.
    pub(super) async fn claim_of(
        &self,
        subnet: &IpNet,
        patience: &mut Patience,
    ) -> Result<Option<(i64, Option<NodeName>)>, Error> {
        let key = self.keys.subnet(subnet);
        let reply = self
            .call(patience, |client| {
                let key = key.clone();
                async move { kv(&client).get(key, None).await }
            })
            .await?;
        Ok(reply.kvs().first().map(|kv| {
            let claim: Option<Claim> = read_value(kv.value()).ok();
            (kv.mod_revision(), claim.map(|claim| claim.node))
        }))
    }

    /// The keys after `after` that start with `prefix`, as of `revision`.
    async fn page(
        &self,
        after: &[u8],
        prefix: &str,
        revision: i64,
    ) -> Result<GetResponse, Failure> {
        let mut from = after.to_vec();
        from.push(0);
        let options = GetOptions::new()
            .with_range(end_of(prefix))
            .with_limit(PAGE)
            .with_revision(revision);
        self.once(self.policy.request, |client| async move {
            kv(&client).get(from, Some(options)).await
        })
        .await
    }

    pub(crate) async fn snapshot(&self) -> Result<Snapshot, Error> {
        let mut patience = Patience::new(&self.policy);
        loop {
            let began = Instant::now();
            match self.read_all().await {
                Ok((snapshot, _)) => return Ok(snapshot),
                Err(failure) => self.retry(&mut patience, began, failure).await?,
            }
        }
    }

    /// Everything at one revision, page by page.
    pub(super) async fn read_all(&self) -> Result<(Snapshot, Position), Failure> {
        let base = self.keys.base();
        let from = base.to_owned();
        let options = GetOptions::new().with_prefix().with_limit(PAGE);
        let mut page = self
            .once(self.policy.request, |client| async move {
                kv(&client).get(from, Some(options)).await
            })
            .await?;
        let (cluster, revision) = place(page.header());
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
                if written.len() > WITNESSES {
                    written.pop_first();
                }
            }
            match page.kvs().last() {
                Some(last) if page.more() => page = self.page(last.key(), base, revision).await?,
                _ => break,
            }
        }
        let witnesses = written
            .into_iter()
            .map(|(revision, key)| (key, revision))
            .collect();
        Ok((
            snapshot,
            Position {
                cluster,
                revision,
                witnesses,
            },
        ))
    }

    /// Whether etcd's history still leads through `position`, so that what happened since can be
    /// had by watching from there. [`Failure::NotThere`] means that it does not, too.
    pub(super) async fn has(&self, position: &Position) -> Result<bool, Failure> {
        if position.witnesses.is_empty() {
            return Ok(false);
        }
        let then = GetOptions::new()
            .with_revision(position.revision)
            .with_keys_only();
        let reads: Vec<_> = position
            .witnesses
            .iter()
            .map(|(key, _)| TxnOp::get(key.clone(), Some(then.clone())))
            .collect();
        let txn = Txn::new().and_then(reads);
        let reply = self
            .once(self.policy.request, |client| async move {
                kv(&client).txn(txn).await
            })
            .await?;
        let (cluster, _) = place(reply.header());
        let mut found = gets(&reply).map(|get| get.kvs().first().map(KeyValue::mod_revision));
        Ok(cluster == position.cluster
            && position
                .witnesses
                .iter()
                .all(|(_, written)| found.next() == Some(Some(*written))))
    }
}

fn gets(reply: &TxnResponse) -> impl Iterator<Item = GetResponse> {
    reply
        .op_responses()
        .into_iter()
        .filter_map(|reply| match reply {
            TxnOpResponse::Get(get) => Some(get),
            _ => None,
        })
}
