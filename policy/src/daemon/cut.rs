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

use policy::timeouts::{CUT_COOLDOWN_FACTOR, CUT_INTERVAL};

/// The connections of pods, as they were found.
#[derive(Debug)]
pub(super) struct FoundConnections {
    entries: Result<Vec<ConntrackEntry>, Error>,
    took: Duration,
}

/// When to look at the connections, and the look that goes on.
#[derive(Debug)]
pub(super) struct ConnectionCutter {
    is_due: bool,
    is_looking: bool,
    next_at: Instant,
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
            sender,
            found,
        }
    }

    /// Asks for a look.
    pub(super) fn ask(&mut self) {
        self.is_due = true;
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
        let (sender, pods) = (self.sender.clone(), pods.collect());
        // Tens of thousands of entries take a while: events are not to wait.
        spawn_blocking(move || {
            let entries = look(&pods);
            let took = now.elapsed();
            drop(sender.blocking_send(FoundConnections { entries, took }));
        });
    }

    /// The result of a look.
    pub(super) async fn found(&mut self) -> io::Result<FoundConnections> {
        let found = self.found.recv().await;
        found.ok_or_else(|| io::Error::other("no look at connections can come"))
    }

    /// Ends the connections among those found that the rules do not allow, and returns how many.
    pub(super) fn cut(
        &mut self,
        ruleset: &Ruleset,
        found: FoundConnections,
    ) -> Result<usize, Error> {
        self.is_looking = false;
        self.next_at = Instant::now() + CUT_INTERVAL.max(found.took * CUT_COOLDOWN_FACTOR);
        let mut denied = found.entries?;
        denied.retain(|entry| is_denied(ruleset, entry));
        if denied.is_empty() {
            return Ok(0);
        }
        ConntrackSocket::open()?.delete(&denied)
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

/// Whether a change may deny what was allowed before it. `ruleset` is what it leads to.
pub(super) fn may_deny(ruleset: &Ruleset, change: &Change) -> bool {
    let is_isolated_anew = change.local.values().any(|(before, after)| {
        let after = after.iter().flat_map(|it| [it.egress, it.ingress]);
        before.is_some() && after.into_iter().any(|it| matches!(it, PodChain::Chain(_)))
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
