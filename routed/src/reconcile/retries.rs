//! Retries of routes that failed: each with its own backoff, and logged when the reason changes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use ipnet::IpNet;

use crate::fib::ApplyError;
use crate::rib::path::UpdateScope;
use crate::timeouts::ROUTE_RETRY_BACKOFF;

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
    /// Adds a failure. Returns whether its reason is new.
    pub(crate) fn add(&mut self, dst: IpNet, error: ApplyError, now: Instant) -> bool {
        let known = self.by_dst.remove(&dst);
        let is_new = known.as_ref().is_none_or(|known| known.error != error);
        let count = known.map_or(1, |known| known.count.saturating_add(1));
        let retry_at = now + ROUTE_RETRY_BACKOFF.pause(count);
        self.by_dst.insert(
            dst,
            FailedStep {
                error,
                count,
                retry_at,
            },
        );
        is_new
    }

    /// Removes the routes of `scope` that are not among `failed`.
    pub(crate) fn retain_only(&mut self, failed: &BTreeSet<IpNet>, scope: &UpdateScope) {
        self.by_dst.retain(|dst, _| {
            failed.contains(dst)
                || match scope {
                    UpdateScope::All => false,
                    UpdateScope::Only(tried) => !tried.contains(dst),
                }
        });
    }

    /// The routes that failed, with the reasons.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&IpNet, &ApplyError)> {
        self.by_dst
            .iter()
            .map(|(dst, failure)| (dst, &failure.error))
    }

    /// Why the route to `dst` failed, if it did.
    pub(crate) fn of(&self, dst: &IpNet) -> Option<&ApplyError> {
        self.by_dst.get(dst).map(|failure| &failure.error)
    }

    /// The routes whose next attempt is due at `now`.
    pub(crate) fn due(&self, now: Instant) -> impl Iterator<Item = IpNet> {
        let due = self.by_dst.iter().filter(move |(_, it)| it.retry_at <= now);
        due.map(|(dst, _)| *dst)
    }

    /// The time of the next attempt, if any route failed.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.by_dst.values().map(|failure| failure.retry_at).min()
    }
}

#[cfg(test)]
mod tests;
