//! `routed` starts on a node that has no route yet. Runs on that node.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::listen::{Listener, now, time_batch};
use super::process::Usage;
use super::records::Peer;

/// How long 20,000 routes may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a daemon has to give back memory that it needed for its start alone.
const REST: Duration = Duration::from_secs(3);
const INSTALLED: &str = "/etc/cni/net.d/10-flatland.conflist";

/// One start; times in nanoseconds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    pub(crate) peers: u32,
    /// From the start of `routed` to its first route.
    pub(crate) first: u64,
    /// From the start of `routed` to its last route.
    pub(crate) last: u64,
    /// From the start of `routed` until the node is ready for pods.
    pub(crate) ready: u64,
    /// When it was ready.
    pub(crate) then: Usage,
    /// After a rest.
    pub(crate) rested: Usage,
    /// From the start of `ip -batch` with the same routes to the last route.
    pub(crate) batch: u64,
}

/// Starts `routed` with so many peers in etcd, and `ip -batch` with the same routes after it.
pub(crate) fn measure(peers: u32) -> Result<Start, String> {
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
    let routed = Ended(routed);
    let seen = listener.hear(count, PATIENCE)?;
    wait_for(Path::new(INSTALLED))?;
    let ready = now() - begin;
    let then = Usage::of(routed.0.id())?;
    thread::sleep(REST);
    let rested = Usage::of(routed.0.id())?;
    drop(routed);
    let at = |seen: Option<&super::listen::Seen>| seen.map_or(0, |seen| seen.at);
    let (first, last) = (at(seen.first()) - begin, at(seen.last()) - begin);
    clean()?;
    let batch = batch(peers, count)?;
    Ok(Start {
        peers,
        first,
        last,
        ready,
        then,
        rested,
        batch,
    })
}

/// What people would do by hand.
fn batch(peers: u32, count: usize) -> Result<u64, String> {
    let mut commands = String::new();
    for peer in (0..peers).map(Peer) {
        let (subnet, address) = (peer.subnet(), peer.address());
        let _ = writeln!(
            commands,
            "route add {subnet}/24 via {address} dev eth0 proto 70"
        );
    }
    let took = time_batch(&commands, count, PATIENCE)?;
    clean()?;
    Ok(took)
}

/// A node without routes of ours that is not ready.
fn clean() -> Result<(), String> {
    let _ = fs::remove_file(INSTALLED);
    let flush = Command::new("ip")
        .args(["route", "flush", "proto", "70"])
        .status();
    flush.map(drop).map_err(words)
}

fn wait_for(file: &Path) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while !file.exists() {
        if Instant::now() > deadline {
            let log = fs::read_to_string("/var/log/routed.log").unwrap_or_default();
            return Err(format!("still no {}: {log}", file.display()));
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// A process that ends with this.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.0.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        // Its end is its own affair; waiting leaves no zombie behind.
        let _ = self.0.wait();
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what map_err hands over")]
fn words(error: std::io::Error) -> String {
    error.to_string()
}
