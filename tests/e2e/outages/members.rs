//! A cluster of three members of etcd that loses one.

use lab::{DEADLINE, Etcd, Families, Lab, Node, Result, wait_for};
use nix::sys::signal::Signal;

use crate::support::{AWAY, BACK, forget, join, reach, wait_no_ways, wait_on, wait_ways, ways};

#[test]
fn one_of_three_etcd_members_may_be_missing() -> Result {
    let lab = Lab::builder()
        .nodes(2)
        .etcd(3)
        .families(Families::V4)
        .start()?;
    lab.etcd()[0].stop()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    reach(&lab.node(1).add_pod("a")?, &lab.node(2).add_pod("b")?)
}

#[test]
fn changes_arrive_without_the_member_that_led() -> Result {
    let mut lab = Lab::builder().nodes(3).etcd(3).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    let leader = wait_for("leader", DEADLINE, || {
        let leads = |member: &Etcd| member.leads().unwrap_or_default();
        lab.etcd().iter().position(leads)
    })?;
    lab.etcd()[leader].stop()?;
    join(&mut lab)?;
    let [one, two, three, four] = [1, 2, 3, 4].map(|number| lab.node(number));
    let old = [(one, two), (two, one)];
    let all_stay = || old.iter().all(|(node, peer)| ways(node, peer) == 2);
    for node in [one, two, three] {
        wait_on(node, "way to the new node", || {
            assert!(all_stay(), "{:?}", one.routes());
            ways(node, four) == 2
        })?;
    }
    reach(&one.add_pod("a")?, &four.add_pod("b")?)?;
    lab.etcd()[leader].start()?;
    lab.etcd()[leader].wait()?;
    three.end_routed(Signal::SIGTERM)?;
    forget(one, three)?;

    for node in [one, two, four] {
        wait_no_ways(node, three)?;
        wait_ways(node, if node.name() == "n1" { two } else { one })?;
        told_at_most_twice(node);
    }
    Ok(())
}

/// The connection to the leader, and the one it was replaced by while no other led.
fn told_at_most_twice(node: &Node) {
    let (away, back) = (node.said(AWAY), node.said(BACK));
    assert!(away <= 2 && back == away, "{}", node.routed_log());
}
