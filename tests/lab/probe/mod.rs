//! Connectivity probes: a server that answers each client with the client's source address, and a
//! client that queries many servers at once. Also a throughput measurement.

mod icmp;
mod query;
mod serve;
mod stream;
mod transfer;

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use query::query;
pub use serve::serve;
pub use stream::{CUT, HOLDS, echo, flood, hold};
pub use transfer::{TransferDirection, serve_transfers, transfer};

/// The default TCP and UDP port of the server.
pub const PORT: u16 = 7070;

/// [`serve()`] prints this when it listens.
pub const LISTENING: &str = "listening";

/// The default time limit for an answer in milliseconds: a hundred times what a busy machine needs,
/// and short enough for tests of what must not work.
pub const LIMIT_MS: u64 = 2000;

/// The shortest of a few round-trip times of an ICMP echo to `target`, in microseconds.
pub fn ping(target: IpAddr, limit: Duration) -> io::Result<u64> {
    icmp::ping(target, 0, limit)
}

/// A query.
#[derive(Debug, Clone)]
pub struct ProbeRequest {
    /// The addresses to query.
    pub targets: Vec<IpAddr>,
    /// The TCP and UDP port.
    pub port: u16,
    /// The time limit for an answer of each kind, in milliseconds.
    pub limit_ms: u64,
    /// Whether to ping the targets too.
    pub ping: bool,
}

impl ProbeRequest {
    fn limit(&self) -> Duration {
        Duration::from_millis(self.limit_ms)
    }
}

/// The answers of one target.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProbeAnswer {
    /// The target's address.
    pub target: IpAddr,
    /// The round-trip time of an ICMP echo in microseconds, or the error.
    pub ping: Result<u64, String>,
    /// The source address that the target's TCP server saw, or the error.
    pub tcp: Result<IpAddr, String>,
    /// The source address that the target's UDP server saw, or the error.
    pub udp: Result<IpAddr, String>,
}

impl ProbeAnswer {
    /// What is wrong, if not every probe was answered and arrived from one of the addresses `own`.
    pub fn complaint(&self, own: &[IpAddr]) -> Option<String> {
        let seen = |kind: &str, seen: &Result<IpAddr, String>| match seen {
            Ok(address) if own.contains(address) => None,
            Ok(address) => Some(format!("{kind} arrives from {address}")),
            Err(why) => Some(format!("{kind}: {why}")),
        };
        let ping = self.ping.as_ref().err().map(|why| format!("ping: {why}"));
        let all = [ping, seen("TCP", &self.tcp), seen("UDP", &self.udp)];
        let all: Vec<String> = all.into_iter().flatten().collect();
        (!all.is_empty()).then(|| format!("{}: {}", self.target, all.join(", ")))
    }

    /// Whether any probe was answered.
    pub fn is_answered(&self) -> bool {
        self.ping.is_ok() || self.tcp.is_ok() || self.udp.is_ok()
    }
}

#[cfg(test)]
mod tests;
