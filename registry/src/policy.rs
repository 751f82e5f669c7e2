//! Time-outs and retries of the registry, all in one place. [`Policy`] is passed in, so that tests
//! and the daemon can choose their own values.

use std::time::Duration;

use tokio::time::Instant;
use wire::backoff::Backoff;

/// How long an endpoint has to answer before the next one is tried as well (the idea of RFC 8305).
pub(crate) const NEXT_ENDPOINT_DELAY: Duration = Duration::from_millis(100);

/// Time-out of revoking the presence lease at exit. Without an answer, the lease expires.
pub(crate) const REVOKE_TIMEOUT: Duration = Duration::from_secs(2);

/// A node gives up claiming after it lost this many races in a row.
pub(crate) const MAX_RACES: u32 = 50;

/// Upper limit of the random pause after the first lost race, in milliseconds.
pub(crate) const MIN_RACE_PAUSE_MS: u64 = 10;

/// That limit doubles with each lost race, at most this often.
pub(crate) const MAX_RACE_DOUBLINGS: u32 = 5;

/// Between two attempts to get the lock of `subnets.json`: flock(2) itself has no time-out.
pub(crate) const LOCK_POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How long `shortage.json` is believed after its last write. `routed` retries, and writes it
/// again, more often than that.
pub(crate) const SHORTAGE_VALIDITY: Duration = Duration::from_secs(120);

/// Between two rewrites of one key that another writer keeps changing. Up to half of it is jitter.
pub(crate) const REWRITE_BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(1),
    most: Duration::from_secs(60),
};

/// After this long without a rewrite, the next one is made at once again.
pub(crate) const REWRITE_CALM_TIME: Duration = Duration::from_secs(180);

/// The time-outs and retries of operations on etcd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Time-out of connecting to an endpoint.
    pub connect_timeout: Duration,
    /// Time-out of one request.
    pub request_timeout: Duration,
    /// How much time an operation spends on unanswered requests in all, before it gives up.
    pub operation_timeout: Duration,
    /// A connection that was silent for this long is probed by an HTTP/2 ping. Must not be below
    /// etcd's `--grpc-keepalive-min-time` (5 s by default): etcd closes connections that ping more
    /// often.
    pub keep_alive: Duration,
    /// Time-out of that ping; then the connection counts as lost.
    pub keep_alive_timeout: Duration,
    /// TTL of the presence lease, in whole seconds (etcd's unit).
    pub lease_ttl: Duration,
    /// Between attempts.
    pub backoff: Backoff,
    /// After an outage everything is read again, within this long per key: in a large network,
    /// thousands of nodes come back at once.
    pub reread_pace: Duration,
}

impl Default for Policy {
    /// For a program that a caller waits for: gives up after 5 s.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(4),
            operation_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(6),
            keep_alive_timeout: Duration::from_secs(4),
            lease_ttl: Duration::from_secs(30),
            backoff: Backoff {
                first: Duration::from_millis(50),
                most: Duration::from_secs(5),
            },
            reread_pace: Duration::from_millis(20),
        }
    }
}

impl Policy {
    /// A random time, between half of the limit and the limit, after which `keys` keys are read again.
    pub(crate) fn reread_delay(&self, keys: usize) -> Duration {
        let keys = u32::try_from(keys).unwrap_or(u32::MAX);
        let limit = self.reread_pace.saturating_mul(keys.saturating_add(1));
        Backoff {
            first: limit,
            most: limit,
        }
        .pause(1)
    }

    /// For the daemon, which can wait for an etcd that needs seconds to answer.
    pub fn daemon() -> Self {
        Self {
            request_timeout: Duration::from_secs(15),
            operation_timeout: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(8),
            ..Self::default()
        }
    }
}

/// How much time an operation may still spend on unanswered requests.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    left: Duration,
    failures: u32,
    backoff: Backoff,
}

impl RetryBudget {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self::of(policy, policy.operation_timeout)
    }

    /// For an operation with a shorter time limit than the policy's.
    pub(crate) fn of(policy: &Policy, left: Duration) -> Self {
        Self {
            left,
            failures: 0,
            backoff: policy.backoff,
        }
    }

    /// The time-out of a request that starts now.
    pub(crate) fn limit(&self, request_timeout: Duration) -> Duration {
        self.left.min(request_timeout)
    }

    /// Accounts for an unanswered request that began at `began`, and pauses before the next.
    /// Returns `false` if there is no time for another one.
    pub(crate) async fn retry(&mut self, began: Instant) -> bool {
        self.failures += 1;
        self.left = self.left.saturating_sub(began.elapsed());
        let pause = self.backoff.pause(self.failures);
        if pause >= self.left {
            return false;
        }
        tokio::time::sleep(pause).await;
        self.left -= pause;
        true
    }
}
