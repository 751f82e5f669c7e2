//! Writing: names, claims and their return, each in a transaction that rests on what was read.

use std::time::Duration;

use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use ipnet::IpNet;
use tokio::time::{Instant, sleep};

use super::Etcd;
use super::read::kv;
use super::reason::Failure;
use crate::error::Error;
use crate::policy::{Patience, random};
use crate::protocol::{self, Commit, Me, Registration, Step, View, Want};
use crate::records::{Claim, write_value};
use crate::registry::Outcome;
use crate::transaction::{Condition, Write};

/// A node gives up after losing so many races in a row.
const MOST_RACES: u32 = 50;

impl Etcd {
    /// Gets `me` what it wants. Two requests where nobody interferes, one more for each race lost:
    /// the reply to a transaction that failed carries the new view.
    pub(crate) async fn acquire(
        &self,
        me: Me<'_>,
        want: Want<'_>,
        patience: Duration,
    ) -> Result<Outcome, Error> {
        let mut patience = Patience::of(&self.policy, patience);
        let mut view = self.view(me.node, &mut patience).await?;
        let mut pending = Vec::new();
        let mut registered = None;
        for attempt in 0..MOST_RACES {
            let outcome = |subnets, registration| Outcome {
                subnets,
                registration,
                cluster: view.cluster,
            };
            let commit = match protocol::next(&view, me, want, &pending, attempt)? {
                Step::Commit(commit) => commit,
                Step::Done(subnets) => {
                    return Ok(outcome(
                        subnets,
                        registered.unwrap_or(Registration::Unchanged),
                    ));
                }
            };
            let began = Instant::now();
            match self.commit(me, &commit, &patience).await {
                Ok(None) if commit.is_all => {
                    return Ok(outcome(commit.outcome, commit.name.registration));
                }
                Ok(None) => {
                    registered = Some(commit.name.registration);
                    view = self.view(me.node, &mut patience).await?;
                }
                Ok(Some(newer)) => {
                    view = newer;
                    sleep(pause_after_race(attempt)).await;
                }
                Err(failure) => {
                    // Whether it happened is not known: look, before anything else is tried.
                    self.retry(&mut patience, began, failure).await?;
                    pending.extend(commit.claims);
                    registered = Some(commit.name.registration);
                    view = self.view(me.node, &mut patience).await?;
                }
            }
        }
        Err(Error::Contended {
            node: me.node.clone(),
            attempts: MOST_RACES,
        })
    }

    /// `None` when the commit was carried out, else the view as it is by now.
    async fn commit(
        &self,
        me: Me<'_>,
        commit: &Commit,
        patience: &Patience,
    ) -> Result<Option<View>, Failure> {
        let txn = self.transaction(me, commit);
        let limit = patience.limit(self.policy.request);
        let reply = self
            .once(limit, |client| async move { kv(&client).txn(txn).await })
            .await?;
        if reply.succeeded() {
            return Ok(None);
        }
        self.view_of(me.node, &reply).await.map(Some)
    }

    /// A reply that it failed carries the view as it is by then.
    fn transaction(&self, me: Me<'_>, commit: &Commit) -> Txn {
        let conditions: Vec<_> = commit
            .conditions(me.node)
            .into_iter()
            .map(|condition| match condition {
                Condition::Unchanged(key, revision) => {
                    Compare::mod_revision(self.keys.key(&key), CompareOp::Equal, revision)
                }
                Condition::Absent(key) => {
                    Compare::create_revision(self.keys.key(&key), CompareOp::Equal, 0)
                }
            })
            .collect();
        let claim = write_value(&Claim {
            node: me.node.clone(),
        });
        let writes: Vec<_> = commit
            .writes()
            .into_iter()
            .map(|write| match write {
                Write::Config => self.config_put(),
                Write::Node(record) => {
                    TxnOp::put(self.keys.node(me.node), write_value(&record), None)
                }
                Write::Claim(subnet) => TxnOp::put(self.keys.subnet(&subnet), claim.clone(), None),
            })
            .collect();
        Txn::new()
            .when(conditions)
            .and_then(writes)
            .or_else(self.view_reads(me.node))
    }

    pub(crate) async fn release(&self, me: Me<'_>, subnet: &IpNet) -> Result<(), Error> {
        let mut patience = Patience::new(&self.policy);
        loop {
            let view = self.claim_of(subnet, me.node, &mut patience).await?;
            let (revision, owner) = match &view.claim {
                Some((revision, owner)) => (*revision, Some(owner)),
                None => (0, None),
            };
            if !protocol::may_release(me, subnet, owner, view.node.as_ref())? {
                return Ok(());
            }
            let unchanged = |key, revision| Compare::mod_revision(key, CompareOp::Equal, revision);
            let key = self.keys.subnet(subnet);
            let txn = Txn::new()
                .when([
                    unchanged(key.clone(), revision),
                    unchanged(self.keys.node(me.node), view.node_revision),
                ])
                .and_then([TxnOp::delete(key, None)]);
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
}

/// Grows with the races lost and is random, so that the losers do not meet again.
fn pause_after_race(attempt: u32) -> Duration {
    Duration::from_millis(random() % (10 << attempt.min(5)))
}
