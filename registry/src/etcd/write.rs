//! Writes names and claims, and deletes claims, each in a conditional transaction.

use std::time::Duration;

use ipnet::IpNet;
use tokio::time::{Instant, sleep};
use wire::backoff::random;

use super::EtcdRegistry;
use crate::error::Error;
use crate::etcd::error::RequestError;
use crate::etcd::txn::Next;
use crate::policy::{MAX_RACE_DOUBLINGS, MAX_RACES, MIN_RACE_PAUSE_MS, RetryBudget};
use crate::protocol::{
    self, Acquired, Attempts, Claimant, Commit, Goal, NextStep, Registration, RegistryView,
};

impl EtcdRegistry {
    /// Reaches `goal` for the claimant. Takes two requests without contention, and one more per
    /// lost race: the reply to a failed transaction carries the new view.
    pub(crate) async fn acquire(
        &self,
        claimant: Claimant<'_>,
        goal: Goal<'_>,
        time_limit: Duration,
    ) -> Result<Acquired, Error> {
        let mut budget = RetryBudget::of(&self.policy, time_limit);
        let mut view = self.view(claimant.node, &mut budget).await?;
        let mut attempts = Attempts::default();
        let mut registered = None;
        for race in 0..MAX_RACES {
            attempts.races = race;
            let outcome = |subnets, registration| Acquired {
                subnets,
                registration,
                cluster: view.cluster,
            };
            let commit = match protocol::next_step(&view, claimant, goal, &attempts)? {
                NextStep::Commit(commit) => commit,
                NextStep::Done(subnets) => {
                    return Ok(outcome(
                        subnets,
                        registered.unwrap_or(Registration::Unchanged),
                    ));
                }
            };
            let began = Instant::now();
            match self.commit(claimant, &commit, &budget).await {
                Ok(None) if commit.is_all => {
                    return Ok(outcome(commit.outcome, commit.name.registration));
                }
                Ok(None) => {
                    attempts.written.extend(commit.written());
                    registered = Some(commit.name.registration);
                    view = self.view(claimant.node, &mut budget).await?;
                }
                Ok(Some(newer)) => {
                    tracing::debug!(node = %claimant.node, "lost race {race} in etcd, deciding again");
                    view = newer;
                    sleep(pause_after_race(race)).await;
                }
                Err(failure) => {
                    // The outcome is unknown: read the view again before anything else is tried.
                    self.pause_before_retry(&mut budget, began, failure).await?;
                    attempts.pending.extend(commit.claims);
                    registered = Some(commit.name.registration);
                    view = self.view(claimant.node, &mut budget).await?;
                }
            }
        }
        Err(Error::Contended {
            node: claimant.node.clone(),
            attempts: MAX_RACES,
        })
    }

    /// `None` if the commit was carried out, else the new view.
    async fn commit(
        &self,
        claimant: Claimant<'_>,
        commit: &Commit,
        budget: &RetryBudget,
    ) -> Result<Option<RegistryView>, RequestError> {
        let (transaction, reads) = (
            commit.transaction(claimant.node),
            self.view_reads(claimant.node),
        );
        let reply = self.transact(&transaction, reads, budget).await?;
        if reply.succeeded() {
            return Ok(None);
        }
        self.view_of(claimant.node, &reply).await.map(Some)
    }

    pub(crate) async fn release(
        &self,
        claimant: Claimant<'_>,
        subnet: &IpNet,
    ) -> Result<(), Error> {
        self.read_decide_commit(
            |limit| self.claim_of(subnet, claimant.node, limit),
            |view| {
                let transaction = protocol::release(&view, claimant, subnet)?;
                Ok(transaction.map_or(Next::Return(()), |it| Next::Commit(it, Some(()))))
            },
        )
        .await
    }
}

/// Random, up to a limit that grows with the lost races, so that the losers do not collide again.
fn pause_after_race(race: u32) -> Duration {
    Duration::from_millis(random() % (MIN_RACE_PAUSE_MS << race.min(MAX_RACE_DOUBLINGS)))
}
