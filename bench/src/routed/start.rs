//! The start of `routed` on a node without routes. Runs on that node.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::process::Usage;
use super::records::PeerNumber;
use super::route_events::{Listener, now, time_batch};

/// The time limit for 20,000 routes, on a busy machine.
const ROUTES_TIMEOUT: Duration = Duration::from_secs(60);
/// The time after which memory that was needed only for the start should be freed.
const SETTLE_TIME: Duration = Duration::from_secs(3);
const INSTALLED: &str = "/etc/cni/net.d/10-flatland.conflist";

/// One start; times in nanoseconds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StartTimes {
    pub(crate) peers: u32,
    /// From the start of `routed` to its first route.
    pub(crate) first: u64,
    /// From the start of `routed` to its last route.
    pub(crate) last: u64,
    /// From the start of `routed` until the node is ready for pods.
    pub(crate) ready: u64,
    /// When the node was ready.
    pub(crate) then: Usage,
    /// After [`SETTLE_TIME`].
    pub(crate) rested: Usage,
    /// From the start of `ip -batch` with the same routes to the last route.
    pub(crate) batch: u64,
}

/// Starts `routed` with this number of peers in etcd, and then `ip -batch` with the same routes.
pub(crate) fn measure(peers: u32) -> Result<StartTimes, String> {
    let count = usize::try_from(peers).map_err(|error| error.to_string())?;
    clean()?;
    let listener = Listener::open()?;
    let begin = now();
    let log = File::create("/var/log/routed.log").map_err(words)?;
    let routed = Command::new("/opt/flatland/routed")
        .args(["run", "--conflist", "/etc/flatland/10-flatland.conflist"])
        .stdout(log.try_clone().map_err(words)?)
        .stderr(log)
        .spawn()
        .map_err(words)?;
    let routed = TerminateOnDrop(routed);
    let seen = listener.wait_for_routes(count, ROUTES_TIMEOUT)?;
    wait_for(Path::new(INSTALLED))?;
    let ready = now() - begin;
    let then = Usage::of(routed.0.id())?;
    thread::sleep(SETTLE_TIME);
    let rested = Usage::of(routed.0.id())?;
    drop(routed);
    let at = |seen: Option<&super::route_events::RouteEvent>| seen.map_or(0, |seen| seen.at);
    let (first, last) = (at(seen.first()) - begin, at(seen.last()) - begin);
    clean()?;
    let batch = batch(peers, count)?;
    Ok(StartTimes {
        peers,
        first,
        last,
        ready,
        then,
        rested,
        batch,
    })
}

/// Adds the same routes with `ip -batch`, for comparison.
fn batch(peers: u32, count: usize) -> Result<u64, String> {
    let mut commands = String::new();
    for peer in (0..peers).map(PeerNumber) {
        let (subnet, address) = (peer.subnet(), peer.address());
        let _ = writeln!(
            commands,
            "route add {subnet}/24 via {address} dev eth0 proto 70"
        );
    }
    let took = time_batch(&commands, count, ROUTES_TIMEOUT)?;
    clean()?;
    Ok(took)
}

/// Removes our routes and the conflist, so that the node is not ready.
fn clean() -> Result<(), String> {
    let _ = fs::remove_file(INSTALLED);
    let flush = Command::new("ip")
        .args(["route", "flush", "proto", "70"])
        .status();
    flush.map(drop).map_err(words)
}

fn wait_for(file: &Path) -> Result<(), String> {
    let deadline = Instant::now() + ROUTES_TIMEOUT;
    while !file.exists() {
        if Instant::now() > deadline {
            let log = fs::read_to_string("/var/log/routed.log").unwrap_or_default();
            return Err(format!("still no {}: {log}", file.display()));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// A process that gets SIGTERM when this is dropped.
struct TerminateOnDrop(Child);

impl Drop for TerminateOnDrop {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.0.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        // SIGTERM has been sent; waiting leaves no zombie behind.
        let _ = self.0.wait();
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what map_err hands over")]
fn words(error: std::io::Error) -> String {
    error.to_string()
}
