//! The routes to a node's pods, which the plugin makes: others take them away.

use std::fs;
use std::time::{Duration, Instant};

use lab::{Lab, Node, Pod, Result};
use nix::sys::signal::Signal;

use crate::support::{raise, wait_on};

const LEDGER: &str = "/run/flatland/flatland";

/// The routes to the pod, as the node has them.
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

/// Both answer their node.
fn answer(pods: &[&Pod<'_>], node: &Node) -> Result {
    for address in pods.iter().flat_map(|pod| pod.addresses()) {
        node.run(&["ping", "-c1", "-W2", &address.to_string()])?;
    }
    Ok(())
}

#[test]
fn a_route_to_a_pod_that_somebody_deletes_is_put_back() -> Result {
    let lab = raise(1)?;
    let node = lab.node(1);
    let pod = node.add_pod("a")?;
    let before = routes_to(&pod, node)?;
    assert_eq!(before.len(), 2, "{before:?}");

    delete_routes_to(&pod, node)?;

    wait_on(node, "routes to the pod", || {
        routes_to(&pod, node).is_ok_and(|now| now == before)
    })?;
    answer(&[&pod], node)
}

#[test]
fn routes_to_pods_that_went_while_routed_was_away_are_back_when_it_is() -> Result {
    let lab = raise(1)?;
    let node = lab.node(1);
    let (a, b) = (node.add_pod("a")?, node.add_pod("b")?);
    // The pods have been there for long.
    let age = "for file in /run/flatland/flatland/addresses/*; do
                   old=$(sed 's/\"since\":[0-9]*/\"since\":1700000000/' $file)
                   echo \"$old\" >$file
               done";
    node.run(&["sh", "-ec", age])?;
    node.end_routed(Signal::SIGKILL)?;

    delete_routes_to(&a, node)?;
    // The kernel takes the IPv4 routes of both with the address that they name.
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
    answer(&[&a, &b], node)
}

#[test]
fn while_somebody_keeps_the_ledger_locked_routes_are_repaired() -> Result {
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
    // Its address is to be freed, which takes the lock.
    node.run(&["ip", "netns", "del", "a"])?;
    let threads = format!("/proc/{}/task", node.routed_pid()?);
    wait_on(node, "routed that waits for the lock", || {
        let tasks = fs::read_dir(&threads).into_iter().flatten().flatten();
        let mut names = tasks.map(|task| fs::read_to_string(task.path().join("comm")));
        names.any(|name| name.is_ok_and(|name| name.trim() == "lock"))
    })?;

    let peer = lab.node(2).owned()?.swap_remove(0);
    let begin = Instant::now();
    node.run(&["ip", "route", "del", &peer])?;
    wait_on(node, "route", || {
        node.routes()
            .is_ok_and(|routes| routes.iter().any(|route| route.starts_with(&peer)))
    })?;

    // It waits for twice as long.
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
    Ok(())
}

#[test]
fn routes_to_pods_that_are_deleted_stay_gone() -> Result {
    let lab = raise(1)?;
    let node = lab.node(1);
    let before = node.traces()?;
    for _ in 0..5 {
        let pods = [node.add_pod("a")?, node.add_pod("b")?];
        pods.into_iter().try_for_each(Pod::delete)?;
    }
    assert_eq!(node.traces()?, before);
    assert_eq!(node.said("put back"), 0, "{}", node.routed_log());
    Ok(())
}
