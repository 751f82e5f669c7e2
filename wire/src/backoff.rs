//! Pauses between attempts, with jitter.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Pauses that double from `first` to `most`. Each is shortened at random by up to half, so that
/// nodes which fail together do not retry together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The pause after the first failure, before jitter.
    pub first: Duration,
    /// The longest pause.
    pub most: Duration,
}

impl Backoff {
    /// The pause after `failures` consecutive failures (at least one).
    pub fn pause(&self, failures: u32) -> Duration {
        self.pause_at(failures, random())
    }

    fn pause_at(&self, failures: u32, random: u64) -> Duration {
        let doubled = 2u32.saturating_pow(failures.saturating_sub(1));
        let full = self.first.saturating_mul(doubled).min(self.most);
        full / 2 + share_of(full / 2, random)
    }
}

/// A random number, from the seed of the standard library's hash maps: for jitter, not for secrets.
pub fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A random part of `time`.
pub fn jitter(time: Duration) -> Duration {
    share_of(time, random())
}

fn share_of(time: Duration, random: u64) -> Duration {
    let share = u32::try_from(random % 1024).expect("less than 1024");
    time * share / 1024
}

#[cfg(test)]
mod tests;
