//! Reading what a node's decisions rest on.

use std::collections::BTreeMap;

use etcd_client::{Compare, CompareOp, GetOptions, KeyValue, Txn, TxnOp, TxnResponse};
use ipnet::IpNet;
use tokio::time::Instant;
use wire::node::NodeName;

use super::Etcd;
use super::read::{gets, kv, place};
use super::reason::Failure;
use crate::error::Error;
use crate::keys::Key;
use crate::policy::Patience;
use crate::protocol::View;
use crate::records::{Claim, Network, NodeRecord, read_network, read_value, write_value};

/// As many claims come with a view in one reply; there are more only in very large networks.
const VIEW_PAGE: i64 = 5_000;

/// What giving a subnet back rests on.
pub(super) struct ClaimView {
    /// The revision that the claim was written at, and its owner, where that can be read.
    pub(super) claim: Option<(i64, Option<NodeName>)>,
    /// The revision of the node's record; 0 when there is none.
    pub(super) node_revision: i64,
    pub(super) node: Option<NodeRecord>,
}

impl Etcd {
    /// Writes `config` if it is absent, else compares it with our own.
    pub(crate) async fn agree(&self) -> Result<(), Error> {
        let mut patience = Patience::new(&self.policy);
        loop {
            let key = self.keys.config();
            let read = |client| {
                let key = key.clone();
                async move { kv(&client).get(key, None).await }
            };
            let reply = self.call(&mut patience, read).await?;
            if let Some(config) = reply.kvs().first() {
                return self.check_config(config).map(drop);
            }
            let txn = Txn::new()
                .when([Compare::create_revision(key.clone(), CompareOp::Equal, 0)])
                .and_then([self.config_put()]);
            let began = Instant::now();
            let limit = patience.limit(self.policy.request);
            match self
                .once(limit, |client| async move { kv(&client).txn(txn).await })
                .await
            {
                Ok(reply) if reply.succeeded() => return Ok(()),
                Ok(_) => {}
                Err(failure) => self.retry(&mut patience, began, failure).await?,
            }
        }
    }

    pub(super) fn config_put(&self) -> TxnOp {
        TxnOp::put(self.keys.config(), write_value(&self.network), None)
    }

    /// The revision of `config`, if it agrees with ours.
    fn check_config(&self, config: &KeyValue) -> Result<i64, Error> {
        let key = self.keys.config();
        let theirs: Network = read_network(config.value()).map_err(|why| Error::Corrupt {
            key: key.clone(),
            why,
        })?;
        if theirs.agrees_with(&self.network) {
            return Ok(config.mod_revision());
        }
        Err(Error::Mismatch {
            ours: self.network.clone(),
            theirs: Box::new(theirs),
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

    /// Reads what `node` needs to decide: one request, which costs etcd no write.
    pub(super) async fn view(
        &self,
        node: &NodeName,
        patience: &mut Patience,
    ) -> Result<View, Error> {
        let txn = Txn::new().and_then(self.view_reads(node));
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

    /// The view in the reply to a transaction that read it, with the claims that found no place in it.
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
            network_revision: match config.kvs().first() {
                Some(config) => self.check_config(config)?,
                None => 0,
            },
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
            exclude: self.exclude.clone(),
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

    /// The claim of one subnet and the record of one node, at one revision.
    pub(super) async fn claim_of(
        &self,
        subnet: &IpNet,
        node: &NodeName,
        patience: &mut Patience,
    ) -> Result<ClaimView, Error> {
        let reads = [
            TxnOp::get(self.keys.subnet(subnet), None),
            TxnOp::get(self.keys.node(node), None),
        ];
        let txn = Txn::new().and_then(reads);
        let reply = self
            .call(patience, |client| {
                let txn = txn.clone();
                async move { kv(&client).txn(txn).await }
            })
            .await?;
        let mut replies = gets(&reply);
        let (claim, record) = (replies.next(), replies.next());
        let claim = claim.as_ref().and_then(|claim| claim.kvs().first());
        let record = record.as_ref().and_then(|record| record.kvs().first());
        let corrupt = |why| Error::Corrupt {
            key: self.keys.node(node),
            why,
        };
        Ok(ClaimView {
            claim: claim.map(|kv| {
                let claim: Option<Claim> = read_value(kv.value()).ok();
                (kv.mod_revision(), claim.map(|claim| claim.node))
            }),
            node_revision: record.map_or(0, KeyValue::mod_revision),
            node: record
                .map(|record| read_value(record.value()))
                .transpose()
                .map_err(corrupt)?,
        })
    }
}
