//! Routes that could not be brought into the kernel: each is tried again by itself, ever less
//! often, and told of when the reason changes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use registry::Backoff;

use crate::fib::ApplyError;
use crate::rib::path::Scope;

/// Between tries. Whatever may help (a link that comes up, a route that goes) is an event and leads
/// to a try at once; the pauses are for what nobody tells of.
const RETRY_BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(1),
    most: Duration::from_secs(60),
};

/// The failures, by destination.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    by_dst: BTreeMap<IpNet, FailedStep>,
}

#[derive(Debug)]
struct FailedStep {
    error: ApplyError,
    count: u32,
    retry_at: Instant,
}

impl Retries {
    /// One more failure. Returns whether it is news.
    pub(crate) fn add(&mut self, dst: IpNet, why: ApplyError, now: Instant) -> bool {
        let known = self.by_dst.remove(&dst);
        let is_news = known.as_ref().is_none_or(|known| known.error != why);
        let count = known.map_or(1, |known| known.count.saturating_add(1));
        let retry_at = now + RETRY_BACKOFF.pause(count);
        self.by_dst.insert(
            dst,
            FailedStep {
                error: why,
                count,
                retry_at,
            },
        );
        is_news
    }

    /// Forgets what was tried (`scope`) and did not fail (`failed`) this time.
    pub(crate) fn retain_only(&mut self, failed: &BTreeSet<IpNet>, scope: &Scope) {
        self.by_dst.retain(|dst, _| {
            failed.contains(dst)
                || match scope {
                    Scope::All => false,
                    Scope::Only(tried) => !tried.contains(dst),
                }
        });
    }

    /// What failed, and why.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&IpNet, &ApplyError)> {
        self.by_dst
            .iter()
            .map(|(dst, failure)| (dst, &failure.error))
    }

    /// Why this one failed, if it did.
    pub(crate) fn of(&self, dst: &IpNet) -> Option<&ApplyError> {
        self.by_dst.get(dst).map(|failure| &failure.error)
    }

    /// Those that are to be tried again at `now`.
    pub(crate) fn due(&self, now: Instant) -> impl Iterator<Item = IpNet> {
        let due = self.by_dst.iter().filter(move |(_, it)| it.retry_at <= now);
        due.map(|(dst, _)| *dst)
    }

    /// When to try again, if anything failed.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.by_dst.values().map(|failure| failure.retry_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dst(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn refused(text: &str) -> ApplyError {
        ApplyError::Refused(text.to_owned())
    }

    #[test]
    fn the_same_reason_is_news_once() {
        let (mut failures, now) = (Retries::default(), Instant::now());
        let a = dst("10.244.1.0/24");
        assert!(failures.add(a, refused("no route to host"), now));
        assert!(!failures.add(a, refused("no route to host"), now));
        assert!(failures.add(a, refused("invalid argument"), now));
    }

    #[test]
    fn what_succeeds_is_forgotten_and_what_was_not_tried_is_not() {
        let (mut failures, now) = (Retries::default(), Instant::now());
        let (a, b) = (dst("10.244.1.0/24"), dst("10.244.2.0/24"));
        failures.add(a, refused("x"), now);
        failures.add(b, refused("x"), now);
        failures.retain_only(&BTreeSet::new(), &Scope::Only([a].into()));
        assert!(failures.add(a, refused("x"), now));
        assert!(!failures.add(b, refused("x"), now));
        failures.retain_only(&BTreeSet::new(), &Scope::All);
        assert_eq!(failures.retry_at(), None);
    }

    #[test]
    fn the_next_try_comes_later_each_time() {
        let (mut failures, now) = (Retries::default(), Instant::now());
        let a = dst("10.244.1.0/24");
        failures.add(a, refused("x"), now);
        assert!(failures.retry_at().unwrap() <= now + RETRY_BACKOFF.first);
        for _ in 0..20 {
            failures.add(a, refused("x"), now);
        }
        let last = failures.retry_at().unwrap() - now;
        assert!(
            (RETRY_BACKOFF.most / 2..=RETRY_BACKOFF.most).contains(&last),
            "{last:?}"
        );
    }
}
