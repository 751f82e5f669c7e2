//! A node with a running `routed`: link flaps, and the number of reconcile passes. Runs on that
//! node.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::route_events::time_batch;

/// The time limit for the return of all routes, on a busy machine.
const ROUTES_TIMEOUT: Duration = Duration::from_secs(60);
/// The address of the metrics of `routed`, and the metric that counts reconcile passes.
const METRICS: &str = "127.0.0.1:9470";
const PASSES: &str = "flatland_reconcile_seconds_count";

/// The number of reconcile passes by the metrics of `routed`.
pub(crate) fn count_passes() -> Result<u64, String> {
    let words = |error: std::io::Error| format!("{METRICS}: {error}");
    let mut stream = TcpStream::connect(METRICS).map_err(words)?;
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).map_err(words)?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(words)?;
    let value = text.lines().find_map(|line| line.strip_prefix(PASSES));
    value
        .and_then(|value| value.trim().parse().ok())
        .ok_or_else(|| format!("no {PASSES} at {METRICS}"))
}

/// Takes the node's link down and up. Returns the time until this number of routes is back, in
/// nanoseconds.
pub(crate) fn flap(routes: usize) -> Result<u64, String> {
    time_batch(
        "link set eth0 down\nlink set eth0 up\n",
        routes,
        ROUTES_TIMEOUT,
    )
}
