//! The time-outs, intervals and retries of what the daemons share, by subject.

use std::time::Duration;

use wire::backoff::Backoff;

// The HTTP server, and the commands that ask it.

/// How often the daemon checks that its socket was not removed.
pub(crate) const HTTP_SOCKET_CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// Between attempts to listen.
pub(crate) const HTTP_LISTEN_RETRY_BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(1),
    most: Duration::from_secs(30),
};

/// How long receiving the head of a request may take.
pub(crate) const HTTP_REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a query waits for the event loop. It answers within milliseconds, unless the kernel, a
/// disk or another program blocks it.
pub(crate) const STATUS_QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may take as a whole, which is longer than receiving a request and waiting
/// for the event loop take.
pub(crate) const HTTP_CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a command waits for the daemon. Longer than the daemon waits for its own event loop, so
/// that the daemon's error is shown.
pub(crate) const HTTP_CLIENT_TIMEOUT: Duration = Duration::from_secs(15);

/// The time limit for a probe of kubelet: less than that of the probe in `conf/kubernetes`, so that it
/// ends with an explanation.
pub(crate) const HTTP_PROBE_TIMEOUT: Duration = Duration::from_secs(4);

/// A connection has at least this much time to send its request. It limits how fast clients that
/// reconnect can push others out.
pub(crate) const MIN_HTTP_CONNECTION_AGE: Duration = Duration::from_millis(25);

/// How long `routed status` shows that connections were closed for others.
pub(crate) const HTTP_CROWDED_TIME: Duration = Duration::from_secs(60);

// Signals.

/// How long to wait, before the daemon starts over, for a signal that its handlers have taken already:
/// the runtime delivers it within microseconds.
pub(crate) const LAST_SIGNAL_TIMEOUT: Duration = Duration::from_millis(5);
