//! Decides which addresses to free and which host ends to destroy because their pods are gone
//! without a DEL. Pure.
//!
//! An address is freed only after the network namespace that ADD saw has been gone for a while: its
//! path is gone or names another namespace, and the host end of the pod's interface, which exists
//! exactly as long as the namespace, is gone too. If only the path is gone, some process keeps the
//! namespace, and with it the pod's interface: then the address stays, and a warning is logged.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipam::Allocation;
use wire::netlink::Link;
use wire::pod_link::is_orphan;

/// What remains of the network namespace of an attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remains {
    /// It exists, or this cannot be found out.
    Namespace,
    /// Its path is gone, but the pod's interface exists.
    Interface,
    /// Nothing remains.
    Nothing,
}

/// The attachments whose namespace is gone, by address, and since when.
#[derive(Debug, Default)]
pub(crate) struct Suspects(BTreeMap<IpAddr, GoneAttachment>);

#[derive(Debug)]
struct GoneAttachment {
    allocation: Allocation,
    remains: Remains,
    since: Instant,
    is_logged: bool,
}

/// What to do about an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SweepAction {
    /// Free it.
    Free(IpAddr, Allocation),
    /// Warn that some process keeps its namespace.
    Warn(IpAddr, Allocation),
}

impl Suspects {
    /// Takes in all held addresses at `now`. `remains` returns what remains of an attachment.
    /// Returns what to do about those for which every observation during the last `grace` was the
    /// same.
    pub(crate) fn observe(
        &mut self,
        held: Vec<(IpAddr, Allocation)>,
        mut remains: impl FnMut(&Allocation) -> Remains,
        now: Instant,
        grace: Duration,
    ) -> Vec<SweepAction> {
        let mut before = std::mem::take(&mut self.0);
        let mut actions = Vec::new();
        for (address, allocation) in held {
            let remains = remains(&allocation);
            if remains == Remains::Namespace {
                continue;
            }
            let same = |it: &GoneAttachment| it.allocation == allocation && it.remains == remains;
            let mut suspect = before
                .remove(&address)
                .filter(same)
                .unwrap_or(GoneAttachment {
                    allocation,
                    remains,
                    since: now,
                    is_logged: false,
                });
            if now - suspect.since >= grace {
                actions.extend(suspect.action(address));
            }
            self.0.insert(address, suspect);
        }
        actions
    }

    /// Whether there are any.
    pub(crate) fn any(&self) -> bool {
        !self.0.is_empty()
    }
}

impl GoneAttachment {
    fn action(&mut self, address: IpAddr) -> Option<SweepAction> {
        if self.remains == Remains::Nothing {
            return Some(SweepAction::Free(address, self.allocation.clone()));
        }
        let is_new = !self.is_logged;
        self.is_logged = true;
        is_new.then(|| SweepAction::Warn(address, self.allocation.clone()))
    }
}

/// Host ends without an alias, by index, and since when. An ADD that was interrupted leaves them.
#[derive(Debug, Default)]
pub(crate) struct OrphanLinks(BTreeMap<u32, Instant>);

impl OrphanLinks {
    /// Takes in the node's `links` at `now`. Returns the indexes of those that have had no alias
    /// for `grace`.
    pub(crate) fn observe(&mut self, links: &[Link], now: Instant, grace: Duration) -> Vec<u32> {
        let before = std::mem::take(&mut self.0);
        let links = links.iter().filter(|link| is_orphan(link));
        self.0 = links
            .map(|link| (link.index, before.get(&link.index).copied().unwrap_or(now)))
            .collect();
        let overdue = self.0.iter().filter(|(_, since)| now - **since >= grace);
        overdue.map(|(index, _)| *index).collect()
    }

    /// Whether there are any.
    pub(crate) fn any(&self) -> bool {
        !self.0.is_empty()
    }
}

#[cfg(test)]
mod tests;
