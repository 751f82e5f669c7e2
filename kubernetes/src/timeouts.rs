//! Time-outs and retries of the client, all in one place.

use std::time::Duration;

use wire::backoff::Backoff;

/// Time-out of connecting to the API server, with the TLS handshake. Its addresses share it.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How many addresses of the API server's name are tried, so that each gets a second.
pub(crate) const MAX_ADDRESSES: usize = 5;

/// Time-out of one request, until its reply is complete; of a watch, until its reply begins.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The length of a watch in seconds, before jitter of as much again: `min-request-timeout` of the
/// API server does the same, and spreads the watches of many nodes over time.
pub(crate) const WATCH_SECONDS: u64 = 300;

/// A watch that is silent for longer is started anew. The API server sends a bookmark about every
/// minute; what is silent is most often a proxy whose server is gone, which answers TCP keepalive.
pub(crate) const WATCH_SILENCE: Duration = Duration::from_secs(150);

/// How often a page of a list is asked for again, if the server is busy, before the whole list is.
pub(crate) const PAGE_RETRIES: u32 = 5;

/// A connection that is silent for this long is probed by TCP keepalive.
pub(crate) const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);

/// Between two of these probes.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// After this many unanswered probes the connection is lost: half a minute after the server went
/// away without a word.
pub(crate) const KEEPALIVE_PROBES: u32 = 3;

/// Between attempts.
pub(crate) const RETRY_BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(200),
    most: Duration::from_secs(20),
};

/// The longest pause that a server's `Retry-After` is obeyed for.
pub(crate) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);
