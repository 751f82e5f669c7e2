//! Reads the state that a node's decisions depend on.

use std::collections::BTreeMap;
use std::time::Duration;

use etcd_client::{GetOptions, GetResponse, KeyValue, Txn, TxnOp, TxnResponse};
use ipnet::IpNet;
use wire::node::NodeName;

use super::EtcdRegistry;
use crate::error::Error;
use crate::etcd::error::RequestError;
use crate::etcd::pages::Pages;
use crate::etcd::snapshot::{get_replies, position_of};
use crate::keys::Key;
use crate::policy::RetryBudget;
use crate::protocol::{ClaimView, Claimed, PresenceView, RegistryView};
use crate::records::{Claim, Network, NodeRecord, Presence, read_network, read_value};

/// How many claims come with a view in the first reply; only very large networks have more.
const VIEW_PAGE: i64 = 5_000;

impl EtcdRegistry {
    /// The revision of `config`, if it agrees with this node's conflist.
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

    /// The reads for a [`RegistryView`], as operations of a transaction.
    pub(super) fn view_reads(&self, node: &NodeName) -> Vec<TxnOp> {
        let claims = GetOptions::new().with_prefix().with_limit(VIEW_PAGE);
        let mut reads = self.small_reads(node);
        reads.push(TxnOp::get(self.keys.subnets(), Some(claims)));
        reads
    }

    /// Like [`EtcdRegistry::view_reads`], without any claims.
    fn small_reads(&self, node: &NodeName) -> Vec<TxnOp> {
        vec![
            TxnOp::get(self.keys.config(), None),
            TxnOp::get(self.keys.node(node), None),
            TxnOp::get(self.keys.presence(node), None),
        ]
    }

    /// Reads the view of `node` in one request, which costs etcd no write.
    pub(super) async fn view(
        &self,
        node: &NodeName,
        budget: &mut RetryBudget,
    ) -> Result<RegistryView, Error> {
        let read = async |limit| {
            let txn = Txn::new().and_then(self.view_reads(node));
            let reply = match self.transaction(txn, limit).await {
                // The claims are then read page by page.
                Err(RequestError::TooLarge) => {
                    let txn = Txn::new().and_then(self.small_reads(node));
                    self.transaction(txn, limit).await?
                }
                reply => reply?,
            };
            self.view_of(node, &reply).await
        };
        self.retry_idempotent(budget, read).await
    }

    /// Builds the view from the reply to [`EtcdRegistry::view_reads`], and reads the remaining
    /// claims.
    pub(super) async fn view_of(
        &self,
        node: &NodeName,
        reply: &TxnResponse,
    ) -> Result<RegistryView, RequestError> {
        let mut replies = get_replies(reply);
        let (Some(config), Some(record), Some(presence)) =
            (replies.next(), replies.next(), replies.next())
        else {
            return Err(RequestError::Lost("the reply is incomplete".to_owned()));
        };
        let (cluster, revision) = position_of(reply.header());
        let (record, node_revision) = self.record_of(node, &record)?;
        let mut view = RegistryView {
            network: self.network.clone(),
            network_revision: match config.kvs().first() {
                Some(config) => self.check_config(config)?,
                None => 0,
            },
            node: record,
            node_revision,
            presence: presence.kvs().first().map(presence_view),
            claims: BTreeMap::new(),
            exclude: self.exclude.clone(),
            cluster: Some(cluster),
        };
        let folder = self.keys.subnets();
        let mut pages = Pages::of(self, &folder, revision);
        if let Some(claims) = replies.next() {
            self.add_claims(&mut view, claims.kvs());
            match claims.kvs().last().filter(|_| claims.more()) {
                Some(last) => pages = Pages::after(self, last.key(), &folder, revision),
                None => return Ok(view),
            }
        }
        while let Some(page) = pages.next().await? {
            self.add_claims(&mut view, &page.kvs);
        }
        Ok(view)
    }

    fn add_claims(&self, view: &mut RegistryView, records: &[KeyValue]) {
        for record in records {
            if let Ok(Key::Subnet(subnet)) = self.keys.name(record.key()).parse() {
                view.claims.insert(subnet, claimed(record));
            }
        }
    }

    /// The claim of one subnet and the record of one node, at one revision.
    pub(super) async fn claim_of(
        &self,
        subnet: &IpNet,
        node: &NodeName,
        limit: Duration,
    ) -> Result<ClaimView, RequestError> {
        let reads = [
            TxnOp::get(self.keys.subnet(subnet), None),
            TxnOp::get(self.keys.node(node), None),
        ];
        let txn = Txn::new().and_then(reads);
        let reply = self.transaction(txn, limit).await?;
        let mut replies = get_replies(&reply);
        let (Some(claim), Some(record)) = (replies.next(), replies.next()) else {
            return Err(RequestError::Lost("the reply is incomplete".to_owned()));
        };
        let (node, node_revision) = self.record_of(node, &record)?;
        Ok(ClaimView {
            claim: claim.kvs().first().map(claimed),
            node,
            node_revision,
        })
    }

    /// The record in a reply, and its revision; 0 if there is none.
    fn record_of(
        &self,
        node: &NodeName,
        reply: &GetResponse,
    ) -> Result<(Option<NodeRecord>, i64), Error> {
        let Some(record) = reply.kvs().first() else {
            return Ok((None, 0));
        };
        let read = read_value(record.value()).map_err(|why| Error::Corrupt {
            key: self.keys.node(node),
            why,
        })?;
        Ok((Some(read), record.mod_revision()))
    }
}

/// Parses the value of a presence key.
pub(super) fn presence_view(record: &KeyValue) -> PresenceView {
    let presence: Option<Presence> = read_value(record.value()).ok();
    PresenceView {
        revision: record.mod_revision(),
        address: presence.as_ref().and_then(|it| it.address),
        session: presence.map(|it| it.session),
    }
}

/// Parses the value of a subnet's key.
fn claimed(record: &KeyValue) -> Claimed {
    let claim: Option<Claim> = read_value(record.value()).ok();
    Claimed {
        owner: claim.map(|claim| claim.node),
        revision: record.mod_revision(),
    }
}
