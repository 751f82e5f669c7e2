//! The loop of read, decide, commit: optimistic concurrency with etcd transactions.

use std::future::Future;
use std::time::Duration;

use etcd_client::{Compare, CompareOp, Txn, TxnOp, TxnResponse};
use tokio::time::Instant;

use crate::error::Error;
use crate::etcd::EtcdRegistry;
use crate::etcd::error::RequestError;
use crate::etcd::pages::kv;
use crate::policy::RetryBudget;
use crate::protocol::transaction::{Condition, Transaction, Write};
use crate::records::{Claim, write_value};

/// What to do after reading.
pub(super) enum Next<T> {
    /// Write nothing.
    Return(T),
    /// Write this. With a value, the operation ends; without, there is more to do.
    Commit(Transaction, Option<T>),
    /// Like [`Next::Commit`], in etcd's types. If something else was written in between, the
    /// operation ends with `otherwise`.
    Once {
        conditions: Vec<Compare>,
        writes: Vec<TxnOp>,
        end: Option<T>,
        otherwise: T,
    },
}

impl EtcdRegistry {
    /// Reads, decides and commits. Starts over if something else was written in between, or if
    /// there was no answer, as long as the retry budget lasts. The next read shows what was
    /// committed without an answer.
    pub(super) async fn read_decide_commit<V, T, F>(
        &self,
        read: impl Fn(Duration) -> F,
        mut decide: impl FnMut(V) -> Result<Next<T>, Error>,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<V, RequestError>>,
    {
        let mut budget = RetryBudget::new(&self.policy);
        loop {
            let ((conditions, writes), end, otherwise) =
                match decide(self.retry_idempotent(&mut budget, &read).await?)? {
                    Next::Return(value) => return Ok(value),
                    Next::Commit(transaction, end) => (self.encode(&transaction), end, None),
                    Next::Once {
                        conditions,
                        writes,
                        end,
                        otherwise,
                    } => ((conditions, writes), end, Some(otherwise)),
                };
            let began = Instant::now();
            let txn = Txn::new().when(conditions).and_then(writes);
            let limit = budget.limit(self.policy.request_timeout);
            let last = match self.transaction(txn, limit).await {
                Ok(reply) if reply.succeeded() => end,
                Ok(_) => otherwise,
                Err(failure) => {
                    self.pause_before_retry(&mut budget, began, failure).await?;
                    None
                }
            };
            if let Some(value) = last {
                return Ok(value);
            }
        }
    }

    /// Repeats an attempt that may be made twice, as long as the retry budget lasts. `attempt` is
    /// passed its time-out.
    pub(super) async fn retry_idempotent<T, F>(
        &self,
        budget: &mut RetryBudget,
        attempt: impl Fn(Duration) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, RequestError>>,
    {
        loop {
            let began = Instant::now();
            match attempt(budget.limit(self.policy.request_timeout)).await {
                Ok(value) => return Ok(value),
                Err(failure) => self.pause_before_retry(budget, began, failure).await?,
            }
        }
    }

    /// Commits once. The reply says whether the conditions held; if not, it carries the answers to
    /// `reads`.
    pub(super) async fn transact(
        &self,
        transaction: &Transaction,
        reads: Vec<TxnOp>,
        budget: &RetryBudget,
    ) -> Result<TxnResponse, RequestError> {
        let (conditions, writes) = self.encode(transaction);
        let txn = Txn::new().when(conditions).and_then(writes).or_else(reads);
        self.transaction(txn, budget.limit(self.policy.request_timeout))
            .await
    }

    /// A transaction in etcd's types.
    pub(super) fn encode(&self, transaction: &Transaction) -> (Vec<Compare>, Vec<TxnOp>) {
        let compare = |condition: &Condition| {
            let key = self.keys.key(&condition.key);
            Compare::mod_revision(key, CompareOp::Equal, condition.revision)
        };
        let conditions = transaction.conditions.iter().map(compare);
        let writes = transaction.writes.iter().map(|it| self.write(it));
        (conditions.collect(), writes.collect())
    }

    /// Makes the request once.
    pub(super) async fn transaction(
        &self,
        txn: Txn,
        limit: Duration,
    ) -> Result<TxnResponse, RequestError> {
        self.with_connection(limit, |client| async move { kv(&client).txn(txn).await })
            .await
    }

    fn write(&self, write: &Write) -> TxnOp {
        match write {
            Write::Config => TxnOp::put(self.keys.config(), write_value(&self.network), None),
            Write::Node(node, record) => {
                TxnOp::put(self.keys.node(node), write_value(record), None)
            }
            Write::Claim(subnet, node) => {
                let claim = Claim { node: node.clone() };
                TxnOp::put(self.keys.subnet(subnet), write_value(&claim), None)
            }
            Write::Delete(key) => TxnOp::delete(self.keys.key(key), None),
            Write::DeleteAbsence(node) => TxnOp::delete(self.keys.absence(node), None),
        }
    }
}
