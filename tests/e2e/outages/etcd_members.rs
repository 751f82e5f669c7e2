//! A cluster of three etcd members loses one.

use lab::{DEADLINE, EtcdMember, Families, Lab, Node, Result, wait_for};
use nix::sys::signal::Signal;

use crate::support::{
    OUTAGE_LOG, RECOVERY_LOG, count_routes_to, forget, join, reach, wait_no_routes_to, wait_on,
    wait_routes_to,
};

#[test]
fn node_with_one_of_three_etcd_members_down_works() -> Result {
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
fn changes_after_loss_of_the_leader_arrive() -> Result {
    let mut lab = Lab::builder().nodes(3).etcd(3).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    let leader = wait_for("leader", DEADLINE, || {
        let leads = |member: &EtcdMember| member.is_leader().unwrap_or_default();
        lab.etcd().iter().position(leads)
    })?;
    lab.etcd()[leader].stop()?;
    join(&mut lab)?;
    let [one, two, three, four] = [1, 2, 3, 4].map(|number| lab.node(number));
    let old = [(one, two), (two, one)];
    let all_stay = || {
        old.iter()
            .all(|(node, peer)| count_routes_to(node, peer) == 2)
    };
    for node in [one, two, three] {
        wait_on(node, "routes to the new node", || {
            assert!(all_stay(), "{:?}", one.routes());
            count_routes_to(node, four) == 2
        })?;
    }
    reach(&one.add_pod("a")?, &four.add_pod("b")?)?;
    lab.etcd()[leader].start()?;
    lab.etcd()[leader].wait()?;
    three.end_routed(Signal::SIGTERM)?;
    forget(one, three)?;

    for node in [one, two, four] {
        wait_no_routes_to(node, three)?;
        wait_routes_to(node, if node.name() == "n1" { two } else { one })?;
        assert_at_most_two_outages(node);
    }
    Ok(())
}

/// Checks that at most two outages are logged: of the connection to the leader, and of the next one
/// while there was no new leader.
fn assert_at_most_two_outages(node: &Node) {
    let (away, back) = (
        node.count_logged(OUTAGE_LOG),
        node.count_logged(RECOVERY_LOG),
    );
    assert!(away <= 2 && back == away, "{}", node.routed_log());
}
