//! A node whose `routed` runs: its link flaps, its metrics are read. Runs on that node.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::listen::time_batch;

/// A busy machine may take that long for all routes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where `routed` serves its metrics, and which of them counts its passes over the routes.
const METRICS: &str = "127.0.0.1:9470";
const PASSES: &str = "flatland_reconcile_seconds_count";

/// How many passes over the routes `routed` says to have made.
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

/// Takes the node's link down and up. Returns how long it takes until so many routes are back, in
/// nanoseconds.
pub(crate) fn flap(routes: usize) -> Result<u64, String> {
    time_batch("link set eth0 down\nlink set eth0 up\n", routes, PATIENCE)
}
