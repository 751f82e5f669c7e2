//! Time-outs and retries of the client, all in one place.

use std::time::Duration;

/// Time-out of connecting to the API server, with the TLS handshake.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time-out of one request, until its reply is complete. A watch is limited by
/// [`WATCH_SECONDS`] instead.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The length of a watch in seconds, before jitter of as much again: `min-request-timeout` of the
/// API server does the same, and spreads the watches of many nodes over time.
pub(crate) const WATCH_SECONDS: u64 = 300;

/// A connection that is silent for this long is probed by TCP keepalive.
pub(crate) const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);

/// Between two of these probes.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// After this many unanswered probes the connection is lost: half a minute after the server went
/// away without a word.
pub(crate) const KEEPALIVE_PROBES: u32 = 3;

/// Between attempts: doubled with each failure, from the first value to the second.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(200);
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// The longest pause that a server's `Retry-After` is obeyed for.
pub(crate) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);
