//! From a change of the API to the transaction in the kernel.

use std::path::Path;
use std::time::{Duration, Instant};

use lab::policy::PolicyCluster;
use lab::{DEADLINE, Error, Result, wait_until};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::os::fd::AsFd;
use wire::netns::Netns;
use wire::nft::{NftMonitor, RulesetChange};

use super::load::{LoadSize, loaded, put_peer, spec};
use super::{MOVING, NAMESPACE, PEERS};
use crate::figures::{Samples, nanoseconds};
use crate::labs::parse;
use crate::routed::process::Usage;
use crate::to_error;

const TABLE: &str = "flatland-policy";
/// Silence after which a change has no more transactions.
const QUIET_MS: u16 = 30;

/// A node with this load.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PolicyEvents {
    pub(crate) local: u8,
    pub(crate) policies: u16,
    pub(crate) peers: u16,
    /// From exec until `flatland-policy status --ready` says so, in nanoseconds.
    pub(crate) start: u64,
    pub(crate) usage: Usage,
    /// What the node's rules consist of, as `flatland-policy status` counts it.
    pub(crate) rules: Value,
    /// From the write to the commit that it leads to, by kind of change.
    pub(crate) kinds: Vec<(String, Samples)>,
}

/// The transactions of the node's table.
struct Commits(NftMonitor);

/// Measures each kind of change `rounds` times, in turn.
pub(crate) fn measure(size: LoadSize, rounds: u16) -> Result<PolicyEvents> {
    let cluster = loaded(size)?;
    let node = cluster.node(1);
    let begin = Instant::now();
    node.spawn_policy()?;
    wait_until("policies in the kernel", 6 * DEADLINE, || {
        node.policy_is_ready() || !node.policy_runs()
    })
    .map_err(|error| error.doing(node.policy_log()))?;
    let start = nanoseconds(begin.elapsed());
    let output = node.policy_command(&["status", "--output", "json"])?;
    let status: Value = parse(&output.success()?)?;
    let isolated = status["pods"]["isolated"].as_u64();
    if isolated != Some(size.local.into()) {
        let words = format!("not all pods have the rules that are measured: {status}");
        return Err(Error::new(words));
    }
    let mut commits = Commits::of(&cluster)?;
    let mut kinds: Vec<(String, Vec<Duration>)> = Vec::new();
    for round in 0..rounds {
        for (index, (kind, took)) in round_of(&cluster, &mut commits, round)?
            .into_iter()
            .enumerate()
        {
            if kinds.len() == index {
                kinds.push((kind.to_owned(), Vec::new()));
            }
            kinds[index].1.push(took);
        }
    }
    let usage = Usage::of(node.policy_pid()?).map_err(Error::new)?;
    let samples = |(kind, took): (String, Vec<Duration>)| (kind, took.into_iter().collect());
    Ok(PolicyEvents {
        local: size.local,
        policies: size.policies,
        peers: size.peers,
        start,
        usage,
        rules: status["rules"].clone(),
        kinds: kinds.into_iter().map(samples).collect(),
    })
}

fn round_of(
    cluster: &PolicyCluster,
    commits: &mut Commits,
    round: u16,
) -> Result<[(&'static str, Duration); 8]> {
    let name = format!("more-{round}");
    let api = &cluster.cluster.api;
    let peer = |app: &str| put_peer(cluster, PEERS, &name, 50_000 + round, app);
    let team = |team: &str| cluster.namespace(MOVING, &[("team", team)]);
    let policy = 10_000 + round;
    let policy_name = format!("policy-{policy}");
    Ok([
        ("peer added", commits.after(|| peer("peer"))?),
        ("peer's label changed", commits.after(|| peer("other"))?),
        ("peer's label changed back", commits.after(|| peer("peer"))?),
        (
            "peer removed",
            commits.after(|| {
                api.delete("pods", PEERS, &name);
                Ok(())
            })?,
        ),
        (
            "policy added",
            commits.after(|| cluster.policy(NAMESPACE, &policy_name, &spec(policy)))?,
        ),
        ("namespace relabelled", commits.after(|| team("b"))?),
        ("namespace back", commits.after(|| team("a"))?),
        (
            "policy removed",
            commits.after(|| {
                api.delete("networkpolicies", NAMESPACE, &policy_name);
                Ok(())
            })?,
        ),
    ])
}

impl Commits {
    fn of(cluster: &PolicyCluster) -> Result<Self> {
        let path = format!("/proc/{}/ns/net", cluster.node(1).pid());
        let netns = Netns::open(Path::new(&path)).map_err(to_error)?;
        let monitor = netns.run(NftMonitor::open).map_err(to_error)?;
        Ok(Self(monitor.map_err(to_error)?))
    }

    /// Changes something and returns the time until the table has been changed.
    fn after(&mut self, change: impl FnOnce() -> Result) -> Result<Duration> {
        while self.wait(QUIET_MS)? {
            self.has_committed()?;
        }
        let begin = Instant::now();
        change()?;
        while !(self.wait(1000)? && self.has_committed()?) {
            if begin.elapsed() > DEADLINE {
                return Err(Error::new("a change of the API changed no rule"));
            }
        }
        Ok(begin.elapsed())
    }

    fn wait(&self, milliseconds: u16) -> Result<bool> {
        let mut readable = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let count = poll(&mut readable, PollTimeout::from(milliseconds)).map_err(to_error)?;
        Ok(count > 0)
    }

    fn has_committed(&mut self) -> Result<bool> {
        let mut has_changed = false;
        let drained = self.0.drain(|change| match change {
            RulesetChange::Changed { table, .. } => has_changed |= table == TABLE,
            // So many changes that the kernel could not tell all: it has told them at the commit.
            RulesetChange::Lost => has_changed = true,
            RulesetChange::Committed { .. } => {}
        });
        drained.map_err(to_error)?;
        Ok(has_changed)
    }
}
