//! `forgetAfter`: nodes are forgotten automatically after a long absence.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use lab::{DEADLINE, Lab, Node, Result, wait_for, wait_until};
use nix::sys::signal::Signal;

const SUBNETS: &str = "/flatland/flatland/subnets/";

/// Nodes with `forgetAfter` of `after`, whose presence lasts two seconds after their end.
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

/// The counted seconds of a node's absence, if the registry has them.
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

/// Waits until a node is forgotten, and returns the time of it.
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

/// The number of log lines, on all nodes, that say that `node` is forgotten.
fn count_forgotten_lines(lab: &Lab, node: &Node) -> usize {
    let text = format!("node {} is forgotten: it was absent for", node.name());
    lab.nodes()
        .iter()
        .map(|node| node.count_logged(&text))
        .sum()
}

#[test]
fn long_absent_node_is_forgotten_and_claims_again_on_return() -> Result {
    let lab = raise(3, "3s")?;
    let [one, two, three] = [lab.node(1), lab.node(2), lab.node(3)];
    let subnets = three.owned_subnets()?;
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
    assert_eq!(count_forgotten_lines(&lab, three), 1);

    start(three)?;
    three.wait_log("was forgotten")?;
    lab.wait_routes()?;
    assert_eq!(lab.etcd()[0].keys(SUBNETS)?.len(), 6);
    assert_eq!(counted(&lab, three), None);
    Ok(())
}

#[test]
fn absent_node_that_returns_in_time_is_not_forgotten() -> Result {
    let lab = raise(4, "8s")?;
    let [three, four] = [lab.node(3), lab.node(4)];
    let subnets = three.owned_subnets()?;
    end(three)?;
    wait_counted(&lab, three, 1)?;
    start(three)?;
    wait_until("end of the count", DEADLINE, || {
        counted(&lab, three).is_none()
    })?;
    end(four)?;
    wait_forgotten(&lab, four)?;

    assert_eq!(
        (
            count_forgotten_lines(&lab, three),
            count_forgotten_lines(&lab, four)
        ),
        (0, 1)
    );
    assert!(is_known(&lab, three) && has_routes(lab.node(1), &subnets));
    assert_eq!(three.owned_subnets()?, subnets);
    Ok(())
}

#[test]
fn absence_of_most_nodes_is_not_counted_and_forgets_none() -> Result {
    let lab = raise(3, "4s")?;
    let [one, two, three] = [lab.node(1), lab.node(2), lab.node(3)];
    // As after a power failure of a rack.
    end(two)?;
    end(three)?;
    one.wait_log("2 of 3 nodes are absent: none is forgotten")?;
    assert!(is_known(&lab, two) && is_known(&lab, three));
    let start_of_count = Instant::now();
    start(two)?;

    let seen = wait_forgotten(&lab, three)?;
    // A second may have been counted before both were gone.
    assert!(
        seen - start_of_count >= Duration::from_secs(3),
        "{}",
        one.routed_log()
    );
    assert!(is_known(&lab, two));
    assert_eq!(one.count_logged("none is forgotten"), 1);
    assert_eq!(
        (
            count_forgotten_lines(&lab, two),
            count_forgotten_lines(&lab, three)
        ),
        (0, 1)
    );
    Ok(())
}

#[test]
fn absence_during_an_etcd_outage_is_not_counted() -> Result {
    const AFTER: u64 = 7;
    let lab = raise(3, &format!("{AFTER}s"))?;
    let [one, three] = [lab.node(1), lab.node(3)];
    end(three)?;
    let before = wait_counted(&lab, three, 1)?;
    lab.etcd()[0].stop()?;
    // Some seconds, until its own presence has expired.
    one.wait_log("is not shown as present")?;
    let start_of_count = Instant::now();
    lab.etcd()[0].start()?;

    let seen = wait_forgotten(&lab, three)?;
    // One more second may have been counted and not written.
    let least = Duration::from_secs(AFTER - before - 1);
    assert!(seen - start_of_count >= least, "{}", one.routed_log());
    assert_eq!(count_forgotten_lines(&lab, three), 1);
    Ok(())
}

#[test]
fn longest_absent_node_is_forgotten_first_by_any_counter() -> Result {
    let lab = raise(6, "8s")?;
    let [five, four] = [lab.node(5), lab.node(4)];
    end(five)?;
    wait_counted(&lab, five, 1)?;
    end(four)?;
    let count = wait_counted(&lab, five, 3)?;
    // The first present node in the order of names counts; the next one continues from the
    // registry.
    lab.node(1).end_routed(Signal::SIGTERM)?;
    assert!(counted(&lab, five) >= Some(count));
    start(lab.node(1))?;
    wait_forgotten(&lab, five)?;
    wait_forgotten(&lab, four)?;

    let logs: Vec<_> = lab.nodes().iter().map(Node::routed_log).collect();
    let lines = logs.iter().flat_map(|log| log.lines());
    // Each line begins with its time.
    let forgotten: BTreeSet<_> = lines
        .filter(|line| line.contains(" is forgotten: "))
        .collect();
    let words: Vec<_> = forgotten
        .iter()
        .filter_map(|line| line.split_whitespace().nth(3))
        .collect();
    assert_eq!(words, ["n5", "n4"], "{forgotten:?}");
    Ok(())
}
