//! The log of denied packets, with names instead of addresses and numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Instant;

use policy::api::L4Protocol;
use policy::compile::Engine;
use policy::rules::{ChainEnd, TrafficDirection, VerdictReason};
use tracing::{info, warn};
use wire::packet_log::PacketHeaders;

use crate::table::DropSite;
use policy::timeouts::{DENIAL_INTERVAL, MAX_DENIALS};

/// A denied connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Denial {
    source: String,
    destination: String,
    /// With the port, if it has one.
    protocol: String,
    /// `by` a policy, or why there is none.
    cause: String,
    direction: TrafficDirection,
}

/// `denied shop/web-0 -> shop/db-0:5432/tcp by shop/default-deny (ingress)`.
impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            source,
            destination,
            protocol,
            cause,
            direction,
        } = self;
        write!(
            f,
            "denied {source} -> {destination}{protocol} {cause} ({direction})"
        )
    }
}

/// What was logged in this interval.
#[derive(Debug, Default)]
pub(super) struct DenialLog {
    logged: BTreeMap<Denial, Instant>,
    /// How many were left out since the last line, because there were too many.
    left_out: u64,
}

impl Denial {
    /// The denial of a packet that was dropped at `site`; `None` if the rule is gone.
    pub(super) fn of(engine: &Engine, site: DropSite, packet: &PacketHeaders) -> Option<Self> {
        let (direction, cause) = cause(engine, site)?;
        let protocol = L4Protocol::from(packet.protocol.0);
        let port = packet.ports.map(|(_, port)| format!(":{port}"));
        Some(Self {
            source: name(engine, packet.source),
            destination: name(engine, packet.destination),
            protocol: format!("{}/{protocol}", port.unwrap_or_default()),
            cause,
            direction,
        })
    }
}

/// The direction that dropped, and why.
fn cause(engine: &Engine, site: DropSite) -> Option<(TrafficDirection, String)> {
    let chains = &engine.ruleset().chains;
    Some(match site {
        DropSite::Undecided(direction) => {
            (direction, format!("because {}", VerdictReason::Undecided))
        }
        DropSite::Rule(id, index) => {
            let chain = chains.get(&id)?;
            let source = &chain.rules.get(index)?.source;
            (chain.direction, format!("by {source}"))
        }
        DropSite::End(id) => {
            let chain = chains.get(&id)?;
            let ChainEnd::Deny(policies) = &chain.end else {
                return None;
            };
            (
                chain.direction,
                format!("by {}", VerdictReason::Isolated(policies.clone())),
            )
        }
    })
}

/// The pods that have an address, or the address.
fn name(engine: &Engine, address: IpAddr) -> String {
    let cluster = engine.cluster();
    if let Some(local) = cluster.local().holder(address) {
        return local.name.to_string();
    }
    let pods = cluster.owners(address).into_iter();
    let names: Vec<_> = pods
        .filter_map(|id| Some(cluster.pod(id)?.name.to_string()))
        .collect();
    match (names.as_slice(), address) {
        ([], IpAddr::V4(_)) => address.to_string(),
        ([], IpAddr::V6(_)) => format!("[{address}]"),
        _ => names.join(" or "),
    }
}

impl DenialLog {
    /// Logs a denial, unless it was logged lately, or too many others were.
    pub(super) fn log(&mut self, denial: &Denial, now: Instant) {
        if !self.admit(denial, now) {
            return;
        }
        if self.left_out > 0 {
            let count = self.left_out;
            warn!(count, "{count} more connections were denied and not logged");
            self.left_out = 0;
        }
        info!("{denial}");
    }

    fn admit(&mut self, denial: &Denial, now: Instant) -> bool {
        self.logged
            .retain(|_, at| now.duration_since(*at) < DENIAL_INTERVAL);
        if self.logged.contains_key(denial) {
            return false;
        }
        if self.logged.len() >= MAX_DENIALS {
            self.left_out += 1;
            return false;
        }
        self.logged.insert(denial.clone(), now);
        true
    }
}

#[cfg(test)]
mod tests;
