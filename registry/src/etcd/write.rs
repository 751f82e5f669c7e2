//! Writes names and claims, and deletes claims, each in a conditional transaction.

use std::time::Duration;

use ipnet::IpNet;
use tokio::time::{Instant, sleep};

use super::Etcd;
use crate::error::Error;
use crate::etcd::error::RequestError;
use crate::etcd::txn::Next;
use crate::keys::Key;
use crate::policy::{Patience, random};
use crate::protocol::transaction::{Condition, Transaction, Write};
use crate::protocol::{
    self, Acquired, Attempts, Claimant, Commit, Goal, NextStep, Registration, RegistryView,
};

/// A node gives up after losing so many races in a row.
const MOST_RACES: u32 = 50;

impl Etcd {
    /// Writes `config` if it is absent, else compares it with this node's conflist.
    pub(crate) async fn agree(&self) -> Result<(), Error> {
        let write = || Transaction {
            conditions: vec![Condition::new(Key::Config, 0)],
            writes: vec![Write::Config],
        };
        self.read_decide_commit(
            |limit| self.is_agreed(limit),
            |is_agreed| {
                Ok(if is_agreed {
                    Next::Return(())
                } else {
                    Next::Commit(write(), Some(()))
                })
            },
        )
        .await
    }

    /// Reaches `goal` for the claimant. Takes two requests without contention, and one more per
    /// lost race: the reply to a failed transaction carries the new view.
    pub(crate) async fn acquire(
        &self,
        me: Claimant<'_>,
        want: Goal<'_>,
        patience: Duration,
    ) -> Result<Acquired, Error> {
        let mut patience = Patience::of(&self.policy, patience);
        let mut view = self.view(me.node, &mut patience).await?;
        let mut tried = Attempts::default();
        let mut registered = None;
        for race in 0..MOST_RACES {
            tried.races = race;
            let outcome = |subnets, registration| Acquired {
                subnets,
                registration,
                cluster: view.cluster,
            };
            let commit = match protocol::next_step(&view, me, want, &tried)? {
                NextStep::Commit(commit) => commit,
                NextStep::Done(subnets) => {
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
                    tried.written.extend(commit.written());
                    registered = Some(commit.name.registration);
                    view = self.view(me.node, &mut patience).await?;
                }
                Ok(Some(newer)) => {
                    view = newer;
                    sleep(pause_after_race(race)).await;
                }
                Err(failure) => {
                    // The outcome is unknown: read the view again before anything else is tried.
                    self.pause_before_retry(&mut patience, began, failure)
                        .await?;
                    tried.pending.extend(commit.claims);
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

    /// `None` if the commit was carried out, else the new view.
    async fn commit(
        &self,
        me: Claimant<'_>,
        commit: &Commit,
        patience: &Patience,
    ) -> Result<Option<RegistryView>, RequestError> {
        let (transaction, reads) = (commit.transaction(me.node), self.view_reads(me.node));
        let reply = self.transact(&transaction, reads, patience).await?;
        if reply.succeeded() {
            return Ok(None);
        }
        self.view_of(me.node, &reply).await.map(Some)
    }

    pub(crate) async fn release(&self, me: Claimant<'_>, subnet: &IpNet) -> Result<(), Error> {
        self.read_decide_commit(
            |limit| self.claim_of(subnet, me.node, limit),
            |view| {
                let transaction = protocol::release(&view, me, subnet)?;
                Ok(transaction.map_or(Next::Return(()), |it| Next::Commit(it, Some(()))))
            },
        )
        .await
    }
}

/// Random, up to a limit that grows with the lost races, so that the losers do not collide again.
fn pause_after_race(race: u32) -> Duration {
    Duration::from_millis(random() % (10 << race.min(5)))
}
