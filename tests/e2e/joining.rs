//! Nodes that join the network.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use lab::{DEADLINE, Lab, Result, Runtime, wait_until};

#[test]
fn nodes_that_join_in_parallel_own_different_subnets() -> Result {
    let lab = Lab::builder().nodes(2).start()?;
    let pods = [lab.node(1).sandbox("a")?, lab.node(2).sandbox("b")?];
    for round in 0..50 {
        let mut conflist = lab.conflist();
        conflist["name"] = format!("round{round}").into();
        // A /23 with /24 subnets: both nodes compete for two subnets.
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

/// The subnet of an address: the address without its host part.
fn subnet(address: &str) -> String {
    address
        .rsplit_once(['.', ':'])
        .map_or(address, |(subnet, _)| subnet)
        .to_owned()
}

#[test]
fn joining_node_and_its_peers_have_routes_within_a_second() -> Result {
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
fn parallel_first_adds_claim_one_subnet_of_each_family() -> Result {
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

/// As when `routed` starts itself anew in the same process, and kubelet stops it at that moment.
#[test]
fn signal_before_the_handlers_are_installed_ends_routed() -> Result {
    let lab = Lab::builder().nodes(1).start()?;
    let script = "kill -TERM $$ && exec /opt/flatland/routed run --conflist \"$0\"";
    let mut command = vec!["timeout", "20", "env", "--block-signal=TERM", "bash", "-c"];
    command.extend([script, "/etc/flatland/10-flatland.conflist"]);
    let output = lab.node(1).run_with(&command, b"")?;
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.contains("stopping on SIGTERM"), "{output:?}");
    Ok(())
}
