//! One node in a cluster of five thousand: real records in a real etcd, real routes.

use std::ops::Range;
use std::time::{Duration, Instant};

use lab::{DEADLINE, Families, Lab, Node, Result, wait_until};
use nix::sys::signal::Signal;

const PREFIX: &str = "/flatland/flatland";
/// The numbers of peers in a small and in a large cluster, and of peers that join each.
const FEW_PEERS: usize = 50;
const PEERS: usize = 5_000;
const JOINS: usize = 20;

/// The most memory of `routed` at any time without the program itself, in KiB. The program is less
/// than 8 MiB as released, and 16 MiB as built for tests.
const MAX_MEMORY: u64 = 12 * 1024;

/// The most memory with [`LARGE_RECORDS`] presences of [`LARGE`] bytes, in KiB: a quarter of what the
/// container may take.
const MAX_LARGE_MEMORY: u64 = 32 * 1024;
const LARGE_RECORDS: usize = 8_000;
const LARGE: usize = 14_000;

/// `routed` is idle if it uses no processor time for this long: pauses between passes are shorter,
/// and periodic work is less frequent.
const IDLE_TIME: Duration = Duration::from_millis(300);

/// The time limit for many routes to be added or deleted, on a busy machine.
const ROUTES_TIMEOUT: Duration = Duration::from_secs(60);

fn name(peer: usize) -> String {
    format!("worker-{peer:04}.cluster.example")
}

fn subnet(peer: usize) -> String {
    format!("10.{}.{}.0", peer / 256, peer % 256)
}

/// The records of a peer, in the order in which a node writes them: its claim is last.
fn records(peer: usize) -> Vec<(String, String)> {
    let (name, address) = (
        name(peer),
        format!("172.16.{}.{}", peer / 200, peer % 200 + 1),
    );
    let node = format!(r#"{{"addresses":["{address}"],"machineId":"{peer:032x}"}}"#);
    let presence = format!(
        r#"{{"session":"{peer:016x}","address":"{address}","version":"0.1.0","since":1700000000}}"#
    );
    vec![
        (format!("{PREFIX}/nodes/{name}"), node),
        (format!("{PREFIX}/presence/{name}"), presence),
        (
            format!("{PREFIX}/subnets/{}-24", subnet(peer)),
            format!(r#"{{"node":"{name}"}}"#),
        ),
    ]
}

/// A node, and the records of [`FEW_PEERS`] peers on its link.
fn raise() -> Result<Lab> {
    let mut lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    lab.etcd()[0].allow_large_transactions()?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"]["podCIDRs"] = serde_json::json!(["10.0.0.0/8"]);
    lab.node_mut(1).set_conflist(&conflist)?;
    let node = lab.node(1);
    node.run(&["ip", "address", "add", "172.16.255.254/16", "dev", "eth0"])?;
    // The first node writes the network's configuration.
    node.start_routed()?;
    node.end_routed(Signal::SIGTERM)?;
    grow(&lab, 0..FEW_PEERS)?;
    Ok(lab)
}

/// Puts the records of these peers into the registry.
fn grow(lab: &Lab, peers: Range<usize>) -> Result {
    let all: Vec<_> = peers.flat_map(records).collect();
    lab.etcd()[0].put_all(&all)
}

fn peer_routes(node: &Node) -> Result<usize> {
    let routes = node.routes()?;
    Ok(routes
        .iter()
        .filter(|route| route.contains(" via 172.16."))
        .count())
}

fn wait_peers(node: &Node, expected: usize) -> Result {
    wait_until(format!("{expected} routes"), ROUTES_TIMEOUT, || {
        peer_routes(node).is_ok_and(|there| there == expected)
    })
    .map_err(|error| error.doing(node.routed_log()))
}

/// Waits until `routed` is idle. Returns the processor time that it has used.
fn wait_idle(node: &Node) -> Result<Duration> {
    let (mut last, mut since) = (node.routed_cpu_time()?, Instant::now());
    wait_until("routed to have nothing to do", DEADLINE, || {
        let now = node.routed_cpu_time().unwrap_or_default();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        since.elapsed() > IDLE_TIME
    })?;
    Ok(last)
}

/// The processor time for each of [`JOINS`] peers that join a cluster of this size.
fn join(lab: &Lab, there: usize) -> Result<Duration> {
    let node = lab.node(1);
    let before = node.routed_cpu_time()?;
    for peer in there..there + JOINS {
        grow(lab, peer..peer + 1)?;
        wait_peers(node, peer + 1)?;
    }
    Ok(node.routed_cpu_time()?.saturating_sub(before) / u32::try_from(JOINS).unwrap_or(1))
}

#[test]
fn node_of_five_thousand_costs_in_proportion_to_changes() -> Result {
    let lab = raise()?;
    let node = lab.node(1);
    node.start_routed()?;
    wait_peers(node, FEW_PEERS)?;
    wait_idle(node)?;
    let join_few = join(&lab, FEW_PEERS)?;
    node.end_routed(Signal::SIGTERM)?;
    grow(&lab, FEW_PEERS + JOINS..PEERS)?;
    node.start_routed()?;
    wait_peers(node, PEERS)?;
    let all = wait_idle(node)?;

    let join = join(&lab, PEERS)?;

    // A route is deleted by hand.
    let before = node.routed_cpu_time()?;
    let victim = format!("{}/24", subnet(77));
    let delete = || -> Result<Duration> {
        node.run(&["ip", "route", "del", &victim])?;
        let start = Instant::now();
        wait_until("deleted route", DEADLINE, || {
            let shown = node.run(&["ip", "route", "show", &victim]);
            shown.is_ok_and(|shown| !shown.is_empty())
        })?;
        Ok(start.elapsed())
    };
    let repairs = (0..10).map(|_| delete()).collect::<Result<Vec<_>>>()?;
    let repair = node.routed_cpu_time()?.saturating_sub(before) / 10;

    // The link flaps.
    let before = node.routed_cpu_time()?;
    node.run(&["ip", "link", "set", "eth0", "down"])?;
    wait_peers(node, 0)?;
    node.run(&["ip", "link", "set", "eth0", "up"])?;
    wait_peers(node, PEERS + JOINS)?;
    let flap = node.routed_cpu_time()?.saturating_sub(before);

    let memory = node.routed_peak_data()?;
    println!(
        "start {all:?}, repair {repair:?}, join {join:?} (of few {join_few:?}), flap {flap:?} of processor time; deleted \
         routes back after {repairs:?}; {memory} KiB"
    );
    // A busy machine may take longer, but not ten times in a row.
    assert!(
        repairs.iter().min() < Some(&Duration::from_millis(100)),
        "{repairs:?}"
    );
    // A hundred times as many nodes: work that is done for each of them would show.
    assert!(
        join.max(repair) < 3 * join_few,
        "a join costs {join:?} with {PEERS} nodes, {join_few:?} with {FEW_PEERS}; a repair {repair:?}"
    );
    assert!(flap < Duration::from_secs(1), "{flap:?}");
    assert!(memory < MAX_MEMORY, "{memory} KiB");
    Ok(())
}

/// The largest value that is parsed is 16 KB. Of a presence only what is shown is kept.
#[test]
fn large_presences_take_the_memory_of_small_ones() -> Result {
    let lab = raise()?;
    let node = lab.node(1);
    node.start_routed()?;
    wait_peers(node, FEW_PEERS)?;
    let text = "x".repeat(LARGE / 4);
    let value = format!(
        r#"{{"session":"{text}","version":"{text}","address":"172.16.0.1","more":["{text}","{text}"]}}"#
    );
    let record = |peer| (format!("{PREFIX}/presence/{}", name(peer)), value.clone());
    let all: Vec<_> = (0..LARGE_RECORDS).map(record).collect();
    // While it watches, and when it starts.
    for some in all.chunks(100) {
        lab.etcd()[0].put_all(some)?;
    }
    wait_idle(node)?;
    let watching = node.routed_peak_data()?;
    node.end_routed(Signal::SIGTERM)?;
    node.start_routed()?;
    wait_peers(node, FEW_PEERS)?;
    wait_idle(node)?;
    let starting = node.routed_peak_data()?;
    println!("watching {watching} KiB, starting {starting} KiB");
    assert!(watching.max(starting) < MAX_LARGE_MEMORY);
    Ok(())
}
