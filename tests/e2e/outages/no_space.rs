//! etcd has no space left (NOSPACE): it answers reads and refuses writes.

use lab::{DEADLINE, EtcdMember, Lab, Node, Result, wait_until};
use nix::sys::signal::Signal;

use crate::support::{
    OUTAGE_LOG, add_and_delete_pods, forget, is_present, join, wait_no_routes_to, wait_on,
    wait_routes_to,
};

/// In bytes. A new member uses a few hundred thousand of them.
const QUOTA: &str = "--quota-backend-bytes=2097152";

/// Writes until etcd has no space left.
fn fill(etcd: &EtcdMember) -> Result {
    let value = "x".repeat(100_000);
    wait_until("alarm", DEADLINE, || {
        let refused = etcd.ctl(&["put", "/filler", &value]).err();
        refused.is_some_and(|why| why.to_string().contains("space exceeded"))
    })
}

/// The commands by which an operator makes space.
fn make_space(etcd: &EtcdMember) -> Result {
    etcd.ctl(&["del", "/filler"])?;
    etcd.compact()?;
    etcd.ctl(&["defrag"])?;
    etcd.ctl(&["alarm", "disarm"]).map(drop)
}

#[test]
fn full_etcd_keeps_routes_and_lets_nodes_join_later() -> Result {
    let mut lab = Lab::builder().nodes(3).start()?;
    let etcd = &lab.etcd()[0];
    etcd.stop()?;
    etcd.start_with(&[QUOTA])?;
    etcd.wait()?;
    for node in lab.nodes() {
        node.spawn_routed(&["--presence-ttl=2"])?;
    }
    lab.nodes().iter().try_for_each(Node::wait_ready)?;
    lab.wait_routes()?;
    fill(&lab.etcd()[0])?;
    let routes = lab.node(1).routes()?;
    join(&mut lab)?;
    let [one, two, three, four] = [1, 2, 3, 4].map(|number| lab.node(number));
    // It needs a new lease, and gets none.
    two.end_routed(Signal::SIGKILL)?;
    two.spawn_routed(&["--presence-ttl=2"])?;
    two.wait_log("is not shown as present")?;
    four.wait_log("cannot join the network yet")?;
    two.wait_log("space exceeded")?;
    add_and_delete_pods(one, two.add_pod("old")?)?;
    wait_on(two, "end of presence", || !is_present(&lab, two))?;
    // Existing leases are still renewed.
    assert!(is_present(&lab, one) && !four.ready());
    assert_eq!(one.routes()?, routes);

    make_space(&lab.etcd()[0])?;
    four.wait_ready()?;
    wait_routes_to(one, four)?;
    wait_on(two, "presence", || is_present(&lab, two))?;
    three.end_routed(Signal::SIGTERM)?;
    forget(one, three)?;
    wait_no_routes_to(one, three)?;
    for (node, text, times) in [
        (two, "is not shown as present", 1),
        (four, "cannot join the network yet", 1),
        (one, OUTAGE_LOG, 0),
        (two, OUTAGE_LOG, 0),
    ] {
        assert_eq!(node.count_logged(text), times, "{}", node.routed_log());
    }
    Ok(())
}
