//! Nodes that are forgotten because they have been absent for long.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use lab::{DEADLINE, Lab, Node, Result, wait_for, wait_until};
use nix::sys::signal::Signal;

const SUBNETS: &str = "/flatland/flatland/subnets/";

/// Nodes that forget who was absent for `after`, and are present for two seconds after their end.
fn raise(nodes: u8, after: &str) -> Result<Lab> {
    let mut lab = Lab::builder().nodes(nodes).start()?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"]["forgetAfter"] = after.into();
    for number in 1..=usize::from(nodes) {
        lab.node_mut(number).set_conflist(&conflist)?;
    }
    lab.nodes().iter().try_for_each(start)?;
    lab.nodes().iter().try_for_each(Node::wait_ready)?;
    lab.wait_routes()?;
    Ok(lab)
}

fn start(node: &Node) -> Result {
    node.spawn_routed(&["--presence-ttl=2"])
}

fn end(node: &Node) -> Result {
    node.end_routed(Signal::SIGKILL)
}

fn is_known(lab: &Lab, node: &Node) -> bool {
    let key = format!("/flatland/flatland/nodes/{}", node.name());
    let keys = lab.etcd()[0].keys(&key);
    keys.map_or(true, |keys| keys.contains(&key))
}

/// How many seconds of a node's absence count, if any are written.
fn counted(lab: &Lab, node: &Node) -> Option<u64> {
    let key = format!("/flatland/flatland:absent/{}", node.name());
    let text = lab.etcd()[0]
        .ctl(&["get", "--print-value-only", &key])
        .ok()?;
    let count: serde_json::Value = serde_json::from_str(&text).ok()?;
    count["seconds"].as_u64()
}

fn wait_counted(lab: &Lab, node: &Node, least: u64) -> Result<u64> {
    let enough = || counted(lab, node).filter(|count| *count >= least);
    wait_for(format!("{least} s of {}", node.name()), DEADLINE, enough)
        .map_err(|error| error.doing(lab.node(1).routed_log()))
}

/// Waits until a node is forgotten, and returns when that was seen.
fn wait_forgotten(lab: &Lab, node: &Node) -> Result<Instant> {
    wait_until(format!("end of {}", node.name()), DEADLINE, || {
        !is_known(lab, node)
    })
    .map_err(|error| error.doing(lab.node(1).routed_log()))?;
    Ok(Instant::now())
}

fn has_routes(node: &Node, subnets: &[String]) -> bool {
    let routes = node.routes().unwrap_or_default();
    let leads = |subnet: &String| {
        let start = format!("{subnet} via");
        routes.iter().any(|route| route.starts_with(&start))
    };
    subnets.iter().any(leads)
}

/// How many lines of all logs say that `node` is forgotten.
fn told(lab: &Lab, node: &Node) -> usize {
    let text = format!("node {} is forgotten: it was absent for", node.name());
    lab.nodes().iter().map(|node| node.said(&text)).sum()
}

#[test]
fn a_node_that_is_gone_for_long_is_forgotten_everywhere_and_claims_anew_when_it_returns() -> Result
{
    let lab = raise(3, "3s")?;
    let [one, two, three] = [lab.node(1), lab.node(2), lab.node(3)];
    let subnets = three.owned()?;
    let start_of_absence = Instant::now();
    end(three)?;
    let seen = wait_forgotten(&lab, three)?;
    assert!(seen - start_of_absence >= Duration::from_secs(3));
    wait_until("withdrawal", DEADLINE, || {
        ![one, two].iter().any(|node| has_routes(node, &subnets))
    })?;
    let claims = lab.etcd()[0].keys(SUBNETS)?;
    assert_eq!(claims.len(), 4, "{claims:?}");
    one.wait_log("node n3 is forgotten: it was absent for")?;
    for part in ["and forgetAfter is 3s", "free again: 10.244."] {
        one.wait_log(part)?;
    }
    assert_eq!(told(&lab, three), 1);

    start(three)?;
    three.wait_log("was forgotten")?;
    lab.wait_routes()?;
    assert_eq!(lab.etcd()[0].keys(SUBNETS)?.len(), 6);
    assert_eq!(counted(&lab, three), None);
    Ok(())
}

#[test]
fn a_node_that_comes_back_in_time_is_not_forgotten() -> Result {
    let lab = raise(4, "8s")?;
    let [three, four] = [lab.node(3), lab.node(4)];
    let subnets = three.owned()?;
    end(three)?;
    wait_counted(&lab, three, 1)?;
    start(three)?;
    wait_until("end of the count", DEADLINE, || {
        counted(&lab, three).is_none()
    })?;
    end(four)?;
    wait_forgotten(&lab, four)?;

    assert_eq!((told(&lab, three), told(&lab, four)), (0, 1));
    assert!(is_known(&lab, three) && has_routes(lab.node(1), &subnets));
    assert_eq!(three.owned()?, subnets);
    Ok(())
}

#[test]
fn while_most_nodes_are_absent_none_is_forgotten_and_the_time_does_not_count() -> Result {
    let lab = raise(3, "4s")?;
    let [one, two, three] = [lab.node(1), lab.node(2), lab.node(3)];
    // As when a rack loses power.
    end(two)?;
    end(three)?;
    one.wait_log("2 of 3 nodes are absent: none is forgotten")?;
    assert!(is_known(&lab, two) && is_known(&lab, three));
    let start_of_count = Instant::now();
    start(two)?;

    let seen = wait_forgotten(&lab, three)?;
    // A second may have counted before both were gone.
    assert!(
        seen - start_of_count >= Duration::from_secs(3),
        "{}",
        one.routed_log()
    );
    assert!(is_known(&lab, two));
    assert_eq!(one.said("none is forgotten"), 1);
    assert_eq!((told(&lab, two), told(&lab, three)), (0, 1));
    Ok(())
}

#[test]
fn the_time_without_etcd_does_not_count() -> Result {
    const AFTER: u64 = 7;
    let lab = raise(3, &format!("{AFTER}s"))?;
    let [one, three] = [lab.node(1), lab.node(3)];
    end(three)?;
    let before = wait_counted(&lab, three, 1)?;
    lab.etcd()[0].stop()?;
    // Some seconds, until its own presence has run out.
    one.wait_log("is not shown as present")?;
    let start_of_count = Instant::now();
    lab.etcd()[0].start()?;

    let seen = wait_forgotten(&lab, three)?;
    // One more may have counted that was not written.
    let least = Duration::from_secs(AFTER - before - 1);
    assert!(seen - start_of_count >= least, "{}", one.routed_log());
    assert_eq!(told(&lab, three), 1);
    Ok(())
}

#[test]
fn the_longest_gone_is_forgotten_first_whoever_counts() -> Result {
    let lab = raise(6, "8s")?;
    let [five, four] = [lab.node(5), lab.node(4)];
    end(five)?;
    wait_counted(&lab, five, 1)?;
    end(four)?;
    let count = wait_counted(&lab, five, 3)?;
    // The first in the order of names counts; the next one goes on with what is written.
    lab.node(1).end_routed(Signal::SIGTERM)?;
    assert!(counted(&lab, five) >= Some(count));
    start(lab.node(1))?;
    wait_forgotten(&lab, five)?;
    wait_forgotten(&lab, four)?;

    let logs: Vec<_> = lab.nodes().iter().map(Node::routed_log).collect();
    let lines = logs.iter().flat_map(|log| log.lines());
    // Each begins with its time.
    let told: BTreeSet<_> = lines
        .filter(|line| line.contains(" is forgotten: "))
        .collect();
    let words: Vec<_> = told
        .iter()
        .filter_map(|line| line.split_whitespace().nth(3))
        .collect();
    assert_eq!(words, ["n5", "n4"], "{told:?}");
    Ok(())
}
