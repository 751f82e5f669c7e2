//! etcd and Kubernetes as the registry, side by side.

use std::thread;
use std::time::{Duration, Instant};

use lab::apiserver::cluster::{Cluster, peer_routes};
use lab::apiserver::{Record, real_node};
use lab::{DEADLINE, Lab, Node, Result, wait_until};
use serde::{Deserialize, Serialize};

use super::joins::{self, Joins, NODES};
use super::large::{self, PEERS};
use super::process::Usage;
use super::records::{PeerJoin, PeerNumber};
use super::route_events::now;
use crate::figures::{Samples, nanoseconds};
use crate::labs::{install, wide_lab};
use crate::{INSIDE, routed, to_error};

/// The nodes of a small cluster.
const FEW: u8 = 3;

/// How often a kubelet writes the status of its Node (`nodeStatusReportFrequency`).
const HEARTBEAT: Duration = Duration::from_secs(300);

/// The figures of one registry.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RegistryFigures {
    /// From the start of `routed` on three nodes until all are ready, in nanoseconds.
    pub(crate) ready: Samples,
    /// Joins to a cluster of 20 nodes, one by one.
    pub(crate) joins: Joins,
    /// From the start of `routed` among [`PEERS`] until it has all routes, in nanoseconds.
    pub(crate) start: u64,
    /// Its memory then.
    pub(crate) usage: Usage,
    /// The heartbeats of its peers.
    pub(crate) heartbeats: Option<Heartbeats>,
}

/// What heartbeats cost a node. etcd has none: leases are renewed without any change of a key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Heartbeats {
    pub(crate) count: u32,
    /// The processor time of `routed`, in nanoseconds.
    pub(crate) cpu: u64,
    /// What the API server sent for them.
    pub(crate) bytes: u64,
}

impl Heartbeats {
    /// How many there are in an hour.
    pub(crate) fn in_an_hour() -> u64 {
        u64::from(PEERS) * 3600 / HEARTBEAT.as_secs()
    }
}

/// Measures both, etcd first.
pub(crate) fn measure(quick: bool) -> Result<[RegistryFigures; 2]> {
    let rounds = if quick { 3 } else { 10 };
    let joining = if quick { 20 } else { 100 };
    Ok([etcd(rounds, joining)?, kubernetes(rounds, joining)?])
}

fn etcd(rounds: usize, joining: u32) -> Result<RegistryFigures> {
    let ready = |_| start(&wide_lab(FEW)?);
    let ready = (0..rounds).map(ready).collect::<Result<Vec<_>>>()?;
    let lab = wide_lab(NODES)?;
    lab.start_routed()?;
    lab.wait_routes()?;
    let joins = joins::measure(&lab, 0, joining, 50_000)?;
    drop(lab);
    let lab = wide_lab(1)?;
    let peers = PEERS.to_string();
    let machine = lab.etcd()[0].machine();
    machine.run(&[INSIDE, "fill", "0", &peers])?;
    let start = start_among(lab.node(1))?;
    Ok(RegistryFigures {
        ready: ready.into_iter().collect(),
        joins,
        start,
        usage: joins::usage(&lab)?,
        heartbeats: None,
    })
}

fn kubernetes(rounds: usize, joining: u32) -> Result<RegistryFigures> {
    let ready = |_| start(&boot(FEW)?.lab);
    let ready = (0..rounds).map(ready).collect::<Result<Vec<_>>>()?;
    let cluster = boot(NODES)?;
    cluster.lab.start_routed()?;
    for node in cluster.lab.nodes() {
        wait_until("all peers", DEADLINE, || {
            peer_routes(node).len() == usize::from(NODES) - 1
        })?;
    }
    let joins = joins::measure_with(&cluster.lab, 0, joining, 50_000, || {
        let begin = Instant::now();
        (0..joining)
            .map(|number| {
                let due = Duration::from_millis(50) * number;
                thread::sleep(due.saturating_sub(begin.elapsed()));
                let at = now();
                put_peer(&cluster, number)?;
                Ok(PeerJoin {
                    subnet: PeerNumber(number).subnet(),
                    at,
                })
            })
            .collect()
    })?;
    drop(cluster);
    let cluster = boot(1)?;
    (0..PEERS).try_for_each(|number| put_peer(&cluster, number))?;
    let start = start_among(cluster.node(1))?;
    let usage = joins::usage(&cluster.lab)?;
    Ok(RegistryFigures {
        ready: ready.into_iter().collect(),
        joins,
        start,
        heartbeats: Some(heartbeats(&cluster, usage)?),
        usage,
    })
}

/// A cluster whose pod CIDRs have room for 20,000 peers, as [`wide_lab`].
fn boot(nodes: u8) -> Result<Cluster> {
    let mut cluster = Cluster::boot(nodes)?;
    for number in 1..=usize::from(nodes) {
        let node = cluster.lab.node_mut(number);
        let mut conflist = node.conflist();
        conflist["plugins"][0]["ipam"]["podCIDRs"] = serde_json::json!([routed::POD_CIDR]);
        node.set_conflist(&conflist)?;
        node.run(&["ip", "address", "add", routed::WIDE, "dev", "eth0"])?;
        install(node)?;
    }
    for number in 1..=usize::from(nodes) {
        cluster.register(number, &[format!("10.250.{number}.0/24")])?;
    }
    Ok(cluster)
}

fn put_peer(cluster: &Cluster, number: u32) -> Result {
    let peer = PeerNumber(number);
    let address = peer.address().parse().map_err(to_error)?;
    let subnet = format!("{}/24", peer.subnet());
    let (name, machine) = (format!("peer{number}"), format!("{number:032x}"));
    cluster.put(&real_node(&name, &[address], &[&subnet], &machine))
}

/// Starts `routed` on all nodes. Returns how long it takes until they are ready.
fn start(lab: &Lab) -> Result<u64> {
    let begin = Instant::now();
    lab.start_routed()?;
    Ok(nanoseconds(begin.elapsed()))
}

/// Starts `routed` on a node with [`PEERS`] peers. Returns how long it takes until it has all
/// routes.
fn start_among(node: &Node) -> Result<u64> {
    let begin = Instant::now();
    node.start_routed()?;
    large::wait_all_routes(node)?;
    Ok(nanoseconds(begin.elapsed()))
}

/// Lets every tenth peer write its status, and then one more join, so that all of it was read.
fn heartbeats(cluster: &Cluster, before: Usage) -> Result<Heartbeats> {
    let sent = || cluster.api.records().iter().map(Record::bytes).sum::<u64>();
    let (count, sent_before) = (PEERS / 10, sent());
    (0..count).try_for_each(|number| put_peer(cluster, number))?;
    put_peer(cluster, PEERS)?;
    let last = format!("{}/24", PeerNumber(PEERS).subnet());
    wait_until("the last peer", DEADLINE, || {
        let routes = cluster.node(1).routes();
        routes.is_ok_and(|routes| routes.iter().any(|route| route.starts_with(&last)))
    })?;
    Ok(Heartbeats {
        count,
        cpu: joins::usage(&cluster.lab)?.cpu - before.cpu,
        bytes: sent() - sent_before,
    })
}
