//! One node of a large cluster: its cost at rest, when peers join, and when its link flaps.

use std::thread;
use std::time::Duration;

use lab::{DEADLINE, Error, Lab, Node, Result, wait_until};
use serde::{Deserialize, Serialize};

use super::joins::{self, Joins};
use super::process::Usage;
use super::route_events::now;
use crate::INSIDE;
use crate::figures::Samples;
use crate::labs::parse;

/// The number of peers before more join.
pub(crate) const PEERS: u32 = 5000;

/// Longer than the longest time between two reconcile passes of `routed`.
const REST_TIME: Duration = Duration::from_secs(190);

/// The results.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Large {
    /// `None` in a quick run.
    pub(crate) rest: Option<Rest>,
    pub(crate) joins: Joins,
    /// The number of routes that went away and returned with the link.
    pub(crate) routes: usize,
    /// From before the link goes down until the last route is back.
    pub(crate) flaps: Samples,
    /// The processor time of all flaps, in nanoseconds.
    pub(crate) flaps_cpu: u64,
    /// After all measurements.
    pub(crate) usage: Usage,
}

/// A node at rest.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rest {
    /// The time at rest, in nanoseconds.
    pub(crate) time: u64,
    /// The processor time of `routed` in that time, in nanoseconds.
    pub(crate) cpu: u64,
    /// The number of reconcile passes in that time.
    pub(crate) passes: u64,
}

/// Starts `routed` on the only node of `lab`, with [`PEERS`] peers in etcd.
pub(crate) fn measure(lab: &Lab, quick: bool) -> Result<Large> {
    let node = lab.node(1);
    node.start_routed()?;
    let peers = PEERS as usize;
    wait_all_routes(node)?;
    let rest = if quick { None } else { Some(rest(lab)?) };
    let (joining, rounds) = if quick { (20, 5) } else { (100, 20) };
    let joins = joins::measure(lab, PEERS, PEERS + joining, 50_000)?;
    let routes = peers + joining as usize;
    let before = joins::usage(lab)?;
    let flap = |_| parse(&node.run(&[INSIDE, "flap", &routes.to_string()])?);
    let flaps = (0..rounds).map(flap).collect::<Result<Vec<u64>>>()?;
    let usage = joins::usage(lab)?;
    Ok(Large {
        rest,
        joins,
        routes,
        flaps: flaps.into_iter().collect(),
        flaps_cpu: usage.cpu - before.cpu,
        usage,
    })
}

/// Waits until a node has the routes to [`PEERS`] peers.
pub(crate) fn wait_all_routes(node: &Node) -> Result {
    wait_until("all routes", 3 * DEADLINE, || {
        let routes = node.routes().unwrap_or_default();
        routes.iter().filter(|it| it.contains(" via ")).count() == PEERS as usize
    })
}

fn rest(lab: &Lab) -> Result<Rest> {
    let node = lab.node(1);
    let before = passes(node)?;
    let (begin, used) = (now(), joins::usage(lab)?.cpu);
    thread::sleep(REST_TIME);
    let rest = Rest {
        cpu: joins::usage(lab)?.cpu - used,
        time: now() - begin,
        passes: passes(node)? - before,
    };
    if rest.passes == 0 {
        let words =
            format!("routed made no reconcile pass in {REST_TIME:?}: the time is too short");
        return Err(Error::new(words));
    }
    Ok(rest)
}

fn passes(node: &Node) -> Result<u64> {
    parse(&node.run(&[INSIDE, "passes"])?)
}
