//! How long to wait and how often to try: values handed in, so that a test or a daemon can choose
//! its own.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

/// How an operation on etcd behaves in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// For an endpoint to accept a connection.
    pub connect: Duration,
    /// For the answer to one request.
    pub request: Duration,
    /// How much time in all an operation spends on requests that are not answered, before it
    /// gives up.
    pub patience: Duration,
    /// A connection that was silent for so long is asked for a sign of life. Not less than etcd's
    /// `--grpc-keepalive-min-time` (5 s unless configured): etcd cuts off who asks more often.
    pub keep_alive: Duration,
    /// For the sign of life to come, before the connection counts as lost.
    pub keep_alive_timeout: Duration,
    /// How long a presence outlives its node; in whole seconds, as etcd has it.
    pub lease: Duration,
    /// Between tries.
    pub backoff: Backoff,
}

impl Default for Policy {
    /// For a program that somebody waits for: gives up after 5 s.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            request: Duration::from_secs(4),
            patience: Duration::from_secs(5),
            keep_alive: Duration::from_secs(6),
            keep_alive_timeout: Duration::from_secs(4),
            lease: Duration::from_secs(30),
            backoff: Backoff {
                first: Duration::from_millis(50),
                most: Duration::from_secs(5),
            },
        }
    }
}

impl Policy {
    /// For a daemon: an etcd that takes seconds to answer is still an etcd.
    pub fn daemon() -> Self {
        Self {
            request: Duration::from_secs(15),
            patience: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(8),
            ..Self::default()
        }
    }
}

/// Pauses that double from `first` to `most`, each shortened at random by up to half, so that many
/// nodes which fail together do not try again together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The pause after the first failure, before jitter.
    pub first: Duration,
    /// The longest pause.
    pub most: Duration,
}

impl Backoff {
    /// The pause after `failures` failures in a row, at least one.
    pub fn pause(&self, failures: u32) -> Duration {
        self.pause_at(failures, random())
    }

    fn pause_at(&self, failures: u32, random: u64) -> Duration {
        let doubled = 2u32.saturating_pow(failures.saturating_sub(1));
        let full = self.first.saturating_mul(doubled).min(self.most);
        let share = u32::try_from(random % 1024).expect("less than 1024");
        full / 2 + full / 2 * share / 1024
    }
}

/// A random number: what the standard library seeds its hash maps with.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// What is left of the time that an operation may spend without being answered.
#[derive(Debug)]
pub(crate) struct Patience {
    left: Duration,
    failures: u32,
    backoff: Backoff,
}

impl Patience {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self::of(policy, policy.patience)
    }

    /// For an operation that was given less than the policy has.
    pub(crate) fn of(policy: &Policy, left: Duration) -> Self {
        Self {
            left,
            failures: 0,
            backoff: policy.backoff,
        }
    }

    /// The latest end of a request that starts now.
    pub(crate) fn limit(&self, request: Duration) -> Duration {
        self.left.min(request)
    }

    /// Accounts for a request that began at `began` and was not answered, and pauses before the
    /// next; `false` when there is no time for a next one.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit_and_keep_at_least_half() {
        let backoff = Backoff {
            first: Duration::from_millis(100),
            most: Duration::from_secs(2),
        };
        for (failures, full) in [
            (1, 100),
            (2, 200),
            (3, 400),
            (6, 2000),
            (4_000_000_000, 2000),
        ] {
            let full = Duration::from_millis(full);
            assert_eq!(backoff.pause_at(failures, 0), full / 2);
            let longest = backoff.pause_at(failures, 1023);
            assert!(
                longest <= full && longest > full * 9 / 10,
                "{failures}: {longest:?}"
            );
        }
    }

    #[test]
    fn two_pauses_differ() {
        let backoff = Backoff {
            first: Duration::from_secs(1),
            most: Duration::from_secs(1),
        };
        assert!((0..20).any(|_| backoff.pause(1) != backoff.pause(1)));
    }
}
