//! The network between a node and the rest fails: packets vanish, or there is no carrier.

use lab::{Lab, Node, Result};

use crate::support::{
    AWAY, BACK, add_and_delete_pods, assert_said_once, change, is_present, join, raise, raise_with,
    reach, routes, wait_changed, wait_on, wait_said,
};

/// Nothing that etcd says reaches the node; it does not hear that nobody listens either.
fn cut_from_etcd(node: &Node) -> Result {
    let rules = "table ip cut { chain in { type filter hook input priority 0; \
                 ip saddr 192.168.1.2 drop; }; }";
    node.run_with(&["nft", "-f", "-"], rules.as_bytes())?
        .success()
        .map(drop)
}

fn mend(node: &Node) -> Result {
    node.run(&["nft", "delete", "table", "ip", "cut"]).map(drop)
}

#[test]
fn a_node_that_alone_cannot_reach_etcd_keeps_its_routes_and_catches_up() -> Result {
    let mut lab = raise(3)?;
    let one = lab.node(1);
    let before = one.routes()?;
    cut_from_etcd(one)?;
    wait_said(one, AWAY, 1)?;
    add_and_delete_pods(one, lab.node(2).add_pod("old")?)?;
    change(&mut lab)?;
    let one = lab.node(1);
    assert_eq!(one.routes()?, before);
    for number in [2, 4] {
        assert_eq!(lab.node(number).said(AWAY), 0);
    }

    mend(one)?;
    wait_changed(&lab)?;
    assert_said_once(one);
    Ok(())
}

#[test]
fn a_node_whose_place_in_history_was_compacted_catches_up_all_the_same() -> Result {
    let mut lab = raise(3)?;
    cut_from_etcd(lab.node(1))?;
    wait_said(lab.node(1), AWAY, 1)?;
    change(&mut lab)?;
    lab.etcd()[0].compact()?;
    let one = lab.node(1);

    mend(one)?;
    wait_changed(&lab)?;
    assert_said_once(one);
    Ok(())
}

#[test]
fn a_watch_goes_on_through_a_compaction() -> Result {
    let mut lab = raise(1)?;
    lab.etcd()[0].compact()?;
    join(&mut lab)?;
    lab.node(2).wait_ready()?;
    lab.etcd()[0].compact()?;
    lab.wait_routes()?;
    assert_eq!(lab.node(1).said(AWAY), 0);
    Ok(())
}

/// Cuts node 1 off for longer than its presence lasts, and mends it; nothing may be withdrawn
/// meanwhile, by nobody.
fn without_a_network(cut: impl Fn(&Lab) -> Result, mend: impl Fn(&Lab) -> Result) -> Result {
    let mut lab = raise_with(3, &["--presence-ttl=2"])?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (before, theirs) = (routes(one)?, routes(two)?);
    let (a, b) = (one.add_pod("a1")?, one.add_pod("b1")?);
    cut(&lab)?;
    wait_said(one, AWAY, 1)?;
    wait_said(one, "is not shown as present", 1)?;
    wait_on(two, "lost presence of n1", || !is_present(&lab, one))?;
    assert_eq!([routes(one)?, routes(two)?], [before.clone(), theirs]);
    reach(&a, &b)?;
    add_and_delete_pods(one, b)?;
    a.delete()?;
    change(&mut lab)?;
    assert_eq!(routes(lab.node(1))?, before);

    mend(&lab)?;
    wait_changed(&lab)?;
    wait_said(lab.node(1), BACK, 1)?;
    assert_said_once(lab.node(1));
    Ok(())
}

#[test]
fn a_node_whose_cable_is_out_keeps_its_routes_and_its_peers_keep_theirs() -> Result {
    without_a_network(|lab| lab.unplug(lab.node(1)), |lab| lab.plug(lab.node(1)))
}

#[test]
fn a_node_whose_packets_vanish_keeps_its_routes_and_its_peers_keep_theirs() -> Result {
    without_a_network(|lab| lab.block(lab.node(1)), |lab| lab.forward(lab.node(1)))
}
