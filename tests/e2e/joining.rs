//! Nodes that join.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use lab::{DEADLINE, Lab, Result, Runtime, wait_until};

#[test]
fn two_nodes_that_join_at_the_same_moment_own_different_subnets_fifty_times_in_a_row() -> Result {
    let lab = Lab::builder().nodes(2).start()?;
    let pods = [lab.node(1).sandbox("a")?, lab.node(2).sandbox("b")?];
    for round in 0..50 {
        let mut conflist = lab.conflist();
        conflist["name"] = format!("round{round}").into();
        // A /23 cut into /24 leaves two subnets to fight for.
        conflist["plugins"][0]["ipam"]["podCIDRs"] =
            serde_json::json!(["10.244.0.0/23", "fd00:10:244::/79"]);

        let join = |pod: &lab::Pod<'_>| -> Result<BTreeSet<String>> {
            let runtime = Runtime::with(pod.machine(), conflist.clone())?;
            let attached = runtime.add(pod.target())?;
            runtime.del(pod.target(), Some(&attached))?;
            let ips = attached.result.ips.iter();
            Ok(ips.map(|ip| subnet(&ip.address.ip().to_string())).collect())
        };
        let [one, two] = thread::scope(|scope| {
            let threads = [&pods[0], &pods[1]].map(|pod| scope.spawn(|| join(pod)));
            threads.map(|thread| thread.join().expect("joining does not panic"))
        });

        let (one, two) = (one?, two?);
        assert_eq!((one.len(), two.len()), (2, 2));
        assert!(one.is_disjoint(&two), "round {round}: {one:?} {two:?}");
    }
    Ok(())
}

/// An address without what distinguishes it within its subnet.
fn subnet(address: &str) -> String {
    address
        .rsplit_once(['.', ':'])
        .map_or(address, |(subnet, _)| subnet)
        .to_owned()
}

#[test]
fn a_node_that_joins_gets_and_gives_routes_within_a_second() -> Result {
    let mut lab = Lab::builder().nodes(2).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;

    lab.add_node()?;
    let start = Instant::now();
    lab.node(3).start_routed()?;
    lab.wait_routes()?;

    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    Ok(())
}

#[test]
fn a_node_owns_one_subnet_of_each_family_however_many_ask_for_it_at_once() -> Result {
    let lab = Lab::builder().nodes(1).start()?;
    let node = lab.node(1);
    node.install_conflist()?;
    node.spawn_routed(&[])?;
    thread::scope(|scope| -> Result {
        let threads: Vec<_> = (0..8)
            .map(|pod| scope.spawn(move || node.add_pod(&format!("p{pod}")).map(drop)))
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("ADD does not panic"))
    })?;
    wait_until("routes of the own subnets", DEADLINE, || {
        node.routes().is_ok_and(|routes| {
            routes
                .iter()
                .filter(|route| route.contains("unreachable"))
                .count()
                == 2
        })
    })?;

    assert_eq!(lab.etcd()[0].keys("/flatland/flatland/subnets/")?.len(), 2);
    Ok(())
}
