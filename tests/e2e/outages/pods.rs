//! Repair of the routes to a node's pods, which the plugin makes and other programs delete.

use std::fs;
use std::time::{Duration, Instant};

use lab::{Lab, Node, Pod, Result};
use nix::sys::signal::Signal;

use crate::support::{raise, wait_on};

const LEDGER: &str = "/run/flatland/flatland/.lock";

/// The node's routes to the pod.
fn routes_to(pod: &Pod<'_>, node: &Node) -> Result<Vec<String>> {
    let addresses: Vec<_> = pod.addresses().iter().map(ToString::to_string).collect();
    let is_its = |route: &String| {
        addresses
            .iter()
            .any(|it| route.starts_with(&format!("{it} ")))
    };
    Ok(node.routes()?.into_iter().filter(is_its).collect())
}

fn delete_routes_to(pod: &Pod<'_>, node: &Node) -> Result {
    for address in pod.addresses() {
        node.run(&["ip", "route", "del", &address.to_string()])?;
    }
    Ok(())
}

/// Checks that the node reaches both addresses of each pod.
fn assert_answer(pods: &[&Pod<'_>], node: &Node) -> Result {
    for address in pods.iter().flat_map(|pod| pod.addresses()) {
        node.run(&["ping", "-c1", "-W2", &address.to_string()])?;
    }
    Ok(())
}

#[test]
fn deleted_pod_route_is_restored() -> Result {
    let lab = raise(1)?;
    let node = lab.node(1);
    let pod = node.add_pod("a")?;
    let before = routes_to(&pod, node)?;
    assert_eq!(before.len(), 2, "{before:?}");

    delete_routes_to(&pod, node)?;

    wait_on(node, "routes to the pod", || {
        routes_to(&pod, node).is_ok_and(|now| now == before)
    })?;
    assert_answer(&[&pod], node)
}

#[test]
fn pod_routes_deleted_while_routed_was_off_are_restored() -> Result {
    let lab = raise(1)?;
    let node = lab.node(1);
    let (a, b) = (node.add_pod("a")?, node.add_pod("b")?);
    // The records say that the pods were added long ago.
    let age = "for file in /run/flatland/flatland/addresses/*; do
                   old=$(sed 's/\"since\":[0-9]*/\"since\":1700000000/' $file)
                   echo \"$old\" >$file
               done";
    node.run(&["sh", "-ec", age])?;
    node.end_routed(Signal::SIGKILL)?;

    delete_routes_to(&a, node)?;
    // The kernel deletes the IPv4 routes of both pods together with the source address that they
    // name.
    node.run(&["sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=1"])?;
    for words in ["add 192.168.1.111/24", "del 192.168.1.11/24"] {
        let command = format!("ip address {words} dev eth0");
        node.run(&command.split(' ').collect::<Vec<_>>())?;
    }
    assert_eq!(routes_to(&a, node)?.len() + routes_to(&b, node)?.len(), 1);
    node.spawn_routed(&[])?;

    wait_on(node, "routes to the pods", || {
        let all = [&a, &b].map(|pod| routes_to(pod, node).unwrap_or_default().len());
        all == [2, 2]
    })?;
    assert_answer(&[&a, &b], node)
}

#[test]
fn routes_are_repaired_while_the_ledger_is_locked() -> Result {
    let mut lab = Lab::builder().nodes(2).start()?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"]["sweepAfter"] = 1.into();
    lab.node_mut(1).set_conflist(&conflist)?;
    lab.start_routed()?;
    lab.wait_routes()?;
    let node = lab.node(1);
    let _pod = node.add_pod("a")?;
    let _stopped = node.spawn("flock", None, &["flock", LEDGER, "sleep", "1d"])?;
    wait_on(node, "lock", || {
        let taken = node.run(&["flock", "--nonblock", LEDGER, "true"]);
        taken.is_err()
    })?;
    // Freeing its address takes the lock.
    node.run(&["ip", "netns", "del", "a"])?;
    let threads = format!("/proc/{}/task", node.routed_pid()?);
    wait_on(node, "routed that waits for the lock", || {
        let tasks = fs::read_dir(&threads).into_iter().flatten().flatten();
        let mut names = tasks.map(|task| fs::read_to_string(task.path().join("comm")));
        names.any(|name| name.is_ok_and(|name| name.trim() == "lock"))
    })?;

    let peer = lab.node(2).owned_subnets()?.swap_remove(0);
    let begin = Instant::now();
    node.run(&["ip", "route", "del", &peer])?;
    wait_on(node, "route", || {
        node.routes()
            .is_ok_and(|routes| routes.iter().any(|route| route.starts_with(&peer)))
    })?;

    // The lock is held for twice as long.
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
    Ok(())
}

#[test]
fn routes_of_deleted_pods_are_not_restored() -> Result {
    let lab = raise(1)?;
    let node = lab.node(1);
    let before = node.attachment_state()?;
    for _ in 0..5 {
        let pods = [node.add_pod("a")?, node.add_pod("b")?];
        pods.into_iter().try_for_each(Pod::delete)?;
    }
    assert_eq!(node.attachment_state()?, before);
    assert_eq!(node.count_logged("put back"), 0, "{}", node.routed_log());
    Ok(())
}
