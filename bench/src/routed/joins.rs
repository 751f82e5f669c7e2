//! Nodes join a running cluster: the time until the others have the route.

use std::collections::HashMap;

use lab::{Lab, Result, wait_for};
use serde::{Deserialize, Serialize};

use super::process::Usage;
use super::records::PeerJoin;
use super::route_events::RouteEvent;
use crate::figures::Samples;
use crate::labs::parse;
use crate::{INSIDE, to_error};

/// The number of nodes that learn of each join.
pub(crate) const NODES: u8 = 20;

/// The results of joins at one pace.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Joins {
    pub(crate) count: u32,
    /// The time between two joins, in microseconds.
    pub(crate) pace_us: u64,
    /// From before the transaction is sent until the route is in a node's kernel: of all joins and
    /// all nodes.
    pub(crate) latency: Samples,
    /// From before the first transaction is sent until the last route is in the last kernel, in
    /// nanoseconds.
    pub(crate) all: u64,
    /// The processor time of the nodes' `routed` during the joins, and their memory afterwards.
    pub(crate) usage: Usage,
}

/// Adds peers `from..to` to the cluster of `lab`, in etcd.
pub(crate) fn measure(lab: &Lab, from: u32, to: u32, pace_us: u64) -> Result<Joins> {
    measure_with(lab, from, to, pace_us, || {
        let numbers = [from.to_string(), to.to_string(), pace_us.to_string()];
        let [first, last, pace] = &numbers;
        let machine = lab.etcd()[0].machine();
        parse(&machine.run(&[INSIDE, "join", first, last, pace])?)
    })
}

/// The same, where `join` adds the peers.
pub(crate) fn measure_with(
    lab: &Lab,
    from: u32,
    to: u32,
    pace_us: u64,
    join: impl FnOnce() -> Result<Vec<PeerJoin>>,
) -> Result<Joins> {
    let count = (to - from).to_string();
    let listeners = lab
        .nodes()
        .iter()
        .map(|node| {
            let log = format!("listen{from}");
            let listener = node.spawn(&log, None, &[INSIDE, "listen", &count])?;
            wait_for("listener", lab::DEADLINE, || {
                listener.log().starts_with("listening").then_some(())
            })?;
            Ok(listener)
        })
        .collect::<Result<Vec<_>>>()?;
    let before = usage(lab)?;
    let joined = join()?;
    let begin: HashMap<_, _> = joined
        .iter()
        .map(|joined| (joined.subnet.as_str(), joined.at))
        .collect();
    let mut latencies = Vec::new();
    let mut end = 0;
    for listener in &listeners {
        lab::wait_until("end of a listener", 3 * lab::DEADLINE, || {
            !listener.running()
        })?;
        let log = listener.log();
        let seen: Vec<RouteEvent> = parse(log.lines().nth(1).unwrap_or_default())?;
        end = end.max(seen.last().map_or(0, |seen| seen.at));
        latencies.extend(
            seen.iter()
                .filter_map(|seen| Some(seen.at - begin.get(seen.subnet.as_str())?)),
        );
    }
    let after = usage(lab)?;
    Ok(Joins {
        count: to - from,
        pace_us,
        latency: latencies.into_iter().collect(),
        all: end - joined.iter().map(|joined| joined.at).min().unwrap_or(end),
        usage: Usage {
            cpu: after.cpu - before.cpu,
            ..after
        },
    })
}

/// The resource usage of every `routed` in the lab.
pub(crate) fn usage(lab: &Lab) -> Result<Usage> {
    let own = std::env::current_exe().map_err(to_error)?;
    parse(&lab.run(&[&own.to_string_lossy(), "usage"])?)
}
