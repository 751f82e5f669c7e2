//! A new deny ends what it denies: connections that began before it are looked for in the kernel's
//! connection tracking, and those that the rules no longer allow are forgotten there. Their next packet
//! is judged as the first of a new connection.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use policy::api::L4Protocol;
use policy::rules::{Change, PodChain, PodConnection, RuleAction, Ruleset};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use wire::conntrack::{ConntrackEntry, ConntrackSocket};
use wire::netlink::{Error, NetlinkSocket};

use policy::timeouts::{APPLY_BACKOFF, CUT_COOLDOWN_FACTOR, CUT_INTERVAL};

/// The connections of pods, as they were found.
#[derive(Debug)]
pub(super) struct FoundConnections {
    entries: Result<Vec<ConntrackEntry>, Error>,
    /// The addresses that pods of the node have given back before.
    freed: BTreeSet<IpAddr>,
    took: Duration,
}

/// When to look at the connections, and the look that goes on.
#[derive(Debug)]
pub(super) struct ConnectionCutter {
    is_due: bool,
    is_looking: bool,
    next_at: Instant,
    /// Failures in a row.
    failures: u32,
    /// Addresses of pods that are gone, whose connections are not the next pod's.
    freed: BTreeSet<IpAddr>,
    sender: mpsc::Sender<FoundConnections>,
    found: mpsc::Receiver<FoundConnections>,
}

impl ConnectionCutter {
    /// Nothing is due.
    pub(super) fn new(now: Instant) -> Self {
        let (sender, found) = mpsc::channel(1);
        Self {
            is_due: false,
            is_looking: false,
            next_at: now,
            failures: 0,
            freed: BTreeSet::new(),
            sender,
            found,
        }
    }

    /// Asks for a look.
    pub(super) fn ask(&mut self) {
        self.is_due = true;
    }

    /// Asks for a look at the connections of the addresses that a change takes from pods: the next pod
    /// with the address could go on with them.
    pub(super) fn note_freed(&mut self, change: &Change) {
        let local = change.local.iter();
        let freed = local.filter(|(_, (_, after))| after.is_none());
        self.freed.extend(freed.map(|(address, _)| *address));
        self.is_due |= !self.freed.is_empty();
    }

    /// When a look is due, if it is.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        (self.is_due && !self.is_looking).then_some(self.next_at)
    }

    /// Starts to look for connections of these addresses, if it is time. The result comes from
    /// [`ConnectionCutter::found`].
    pub(super) fn run_due(&mut self, now: Instant, pods: impl Iterator<Item = IpAddr>) {
        if self.wake_at().is_none_or(|at| now < at) {
            return;
        }
        (self.is_due, self.is_looking) = (false, true);
        let freed = std::mem::take(&mut self.freed);
        let pods = pods.chain(freed.iter().copied()).collect();
        let sender = self.sender.clone();
        // Tens of thousands of entries take a while: events are not to wait.
        spawn_blocking(move || {
            let entries = look(&pods);
            let took = now.elapsed();
            drop(sender.blocking_send(FoundConnections {
                entries,
                freed,
                took,
            }));
        });
    }

    /// The result of a look.
    pub(super) async fn found(&mut self) -> io::Result<FoundConnections> {
        let found = self.found.recv().await;
        found.ok_or_else(|| io::Error::other("no look at connections can come"))
    }

    /// Ends the connections among those found that the rules do not allow, and returns how many. After a
    /// failure the next look is due: otherwise they would go on for as long as they like.
    pub(super) fn cut(
        &mut self,
        ruleset: &Ruleset,
        found: FoundConnections,
    ) -> Result<usize, Error> {
        self.is_looking = false;
        let pause = CUT_INTERVAL.max(found.took * CUT_COOLDOWN_FACTOR);
        let outcome = found.entries.and_then(|mut entries| {
            entries
                .retain(|entry| is_denied(ruleset, entry) || is_left(ruleset, &found.freed, entry));
            if entries.is_empty() {
                return Ok(0);
            }
            ConntrackSocket::open()?.delete(&entries)
        });
        self.failures = if outcome.is_ok() {
            0
        } else {
            self.failures + 1
        };
        self.next_at = Instant::now() + pause.max(APPLY_BACKOFF.pause(self.failures));
        if outcome.is_err() {
            self.is_due = true;
            self.freed.extend(found.freed);
        }
        outcome
    }
}

/// The connections of these pods that are not their node's own.
fn look(pods: &BTreeSet<IpAddr>) -> Result<Vec<ConntrackEntry>, Error> {
    let addresses = NetlinkSocket::open()?.addresses(None)?;
    let own: BTreeSet<IpAddr> = addresses.into_iter().map(|it| it.address.ip()).collect();
    let mut found = Vec::new();
    ConntrackSocket::open()?.dump(|entry| {
        let PodConnection {
            source,
            destination,
            ..
        } = connection(&entry);
        let ends = [source, destination];
        let is_of_pod = ends.iter().any(|it| pods.contains(it));
        if is_of_pod && !ends.iter().any(|it| own.contains(it)) {
            found.push(entry);
        }
    })?;
    Ok(found)
}

/// The connection as the rules see its first packet: what answers is in the reply, because a Service's
/// address was translated before.
fn connection(entry: &ConntrackEntry) -> PodConnection {
    PodConnection {
        source: entry.original.source,
        destination: entry.reply.source,
        protocol: L4Protocol::from(entry.reply.protocol.0),
        port: entry.reply.ports.map_or(0, |(answering, _)| answering),
    }
}

/// Undecided pods have no rules yet by which anything could be ended.
fn is_denied(ruleset: &Ruleset, entry: &ConntrackEntry) -> bool {
    let connection = connection(entry);
    let ends = [connection.source, connection.destination];
    let is_undecided = |address: &IpAddr| {
        let local = ruleset.local.get(address);
        local.is_some_and(|it| [it.egress, it.ingress].contains(&PodChain::Undecided))
    };
    !ends.iter().any(is_undecided) && !ruleset.verdict(&connection).is_allowed()
}

/// Whether a connection is one of a pod that is gone, and whose address is of no pod since.
fn is_left(ruleset: &Ruleset, freed: &BTreeSet<IpAddr>, entry: &ConntrackEntry) -> bool {
    let connection = connection(entry);
    let mut ends = [connection.source, connection.destination].into_iter();
    ends.any(|it| freed.contains(&it) && !ruleset.local.contains_key(&it))
}

/// Whether a change may deny what was allowed before it. `ruleset` is what it leads to.
pub(super) fn may_deny(ruleset: &Ruleset, change: &Change) -> bool {
    // Also of a new pod: the one that had its address before may have left connections.
    let is_isolated_anew = change.local.values().any(|(_, after)| {
        let mut after = after.iter().flat_map(|it| [it.egress, it.ingress]);
        after.any(|it| matches!(it, PodChain::Chain(_)))
    });
    let does_shrink = change.elements.values().any(|it| !it.removed.is_empty());
    let denies = || {
        let rules = ruleset.chains.values().flat_map(|chain| chain.rules.iter());
        rules.filter(|rule| rule.action == RuleAction::Deny)
    };
    let grows = change
        .elements
        .iter()
        .filter(|(_, it)| !it.added.is_empty());
    let mut grows = grows.map(|(id, _)| *id);
    is_isolated_anew
        || does_shrink
        || grows.any(|id| denies().any(|rule| rule.sets().any(|set| set == id)))
}

#[cfg(test)]
mod tests;
