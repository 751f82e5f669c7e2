//! A node among five thousand whose Node objects have the size of real ones.

use std::time::{Duration, Instant};

use lab::apiserver::real_node;
use lab::{DEADLINE, Error, Node, Result, wait_until};

use crate::cluster::{Cluster, cidrs};

const PEERS: usize = 5_000;

/// Heartbeats of five thousand kubelets in ten seconds: each writes its status every five minutes
/// (`nodeStatusReportFrequency`).
const HEARTBEATS: usize = PEERS / 30;

/// Of `routed` without the program itself, in KiB. Released, the program has less than 10 MiB, and
/// both together have to stay below 32 MiB.
const MAX_MEMORY: u64 = 20 * 1024;

fn put_peer(cluster: &Cluster, number: usize) -> Result {
    let (high, low) = (number / 250, number % 250 + 1);
    let address = format!("172.16.{high}.{low}");
    let addresses = [address.parse().map_err(|_| Error::new(address))?];
    let subnet = format!("10.{}.{}.0/24", 1 + number / 256, number % 256);
    let machine = format!("{number:032x}");
    cluster.put(&real_node(
        &format!("peer-{number:04}"),
        &addresses,
        &[&subnet],
        &machine,
    ))
}

/// Waits until the node has routes to this many peers.
fn wait_peers(node: &Node, count: usize) -> Result {
    wait_until(format!("{count} peers"), 6 * DEADLINE, || {
        node.routes()
            .is_ok_and(|routes| routes.iter().filter(|it| it.contains(" via ")).count() == count)
    })
    .map_err(|error| error.doing(node.routed_log()))
}

#[test]
fn node_of_five_thousand_keeps_little_of_their_objects() -> Result {
    let cluster = Cluster::boot(1)?;
    let node = cluster.node(1);
    node.run(&["ip", "address", "add", "172.16.255.254/16", "dev", "eth0"])?;
    cluster.register(1, &cidrs(200)[..1])?;
    for number in 0..PEERS {
        put_peer(&cluster, number)?;
    }
    node.start_routed()?;
    wait_peers(node, PEERS)?;

    let (before, began) = (node.routed_cpu_time()?, Instant::now());
    for number in 0..HEARTBEATS {
        put_peer(&cluster, number)?;
    }
    put_peer(&cluster, PEERS)?;
    wait_peers(node, PEERS + 1)?;
    let heartbeats = node.routed_cpu_time()?.saturating_sub(before);

    let memory = node.routed_peak_data()?;
    println!(
        "{heartbeats:?} of processor time for {HEARTBEATS} heartbeats in {:?}; {memory} KiB at most",
        began.elapsed()
    );
    assert!(memory < MAX_MEMORY, "{memory} KiB");
    // Ten seconds of heartbeats: 1 % of a core would be 100 ms as released.
    assert!(heartbeats < Duration::from_secs(2), "{heartbeats:?}");
    Ok(())
}
