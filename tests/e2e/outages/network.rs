//! The network of a node fails: packets are dropped, or there is no carrier.

use lab::{Lab, Node, Result};

use crate::support::{
    OUTAGE_LOG, RECOVERY_LOG, add_and_delete_pods, assert_logged_once, change, is_present, join,
    raise, raise_with, reach, routes, wait_changed, wait_logged, wait_on,
};

/// Drops everything from etcd to the node, without resets or ICMP errors.
fn cut_from_etcd(node: &Node) -> Result {
    let rules = "table ip cut { chain in { type filter hook input priority 0; \
                 ip saddr 192.168.1.2 drop; }; }";
    node.run_with(&["nft", "-f", "-"], rules.as_bytes())?
        .success()
        .map(drop)
}

fn repair(node: &Node) -> Result {
    node.run(&["nft", "delete", "table", "ip", "cut"]).map(drop)
}

#[test]
fn node_cut_off_from_etcd_keeps_routes_and_catches_up() -> Result {
    let mut lab = raise(3)?;
    let one = lab.node(1);
    let before = one.routes()?;
    cut_from_etcd(one)?;
    wait_logged(one, OUTAGE_LOG, 1)?;
    add_and_delete_pods(one, lab.node(2).add_pod("old")?)?;
    change(&mut lab)?;
    let one = lab.node(1);
    assert_eq!(one.routes()?, before);
    for number in [2, 4] {
        assert_eq!(lab.node(number).count_logged(OUTAGE_LOG), 0);
    }

    repair(one)?;
    wait_changed(&lab)?;
    assert_logged_once(one);
    Ok(())
}

#[test]
fn node_behind_a_compaction_catches_up() -> Result {
    let mut lab = raise(3)?;
    cut_from_etcd(lab.node(1))?;
    wait_logged(lab.node(1), OUTAGE_LOG, 1)?;
    change(&mut lab)?;
    lab.etcd()[0].compact()?;
    let one = lab.node(1);

    repair(one)?;
    wait_changed(&lab)?;
    assert_logged_once(one);
    Ok(())
}

#[test]
fn watch_continues_after_a_compaction() -> Result {
    let mut lab = raise(1)?;
    lab.etcd()[0].compact()?;
    join(&mut lab)?;
    lab.node(2).wait_ready()?;
    lab.etcd()[0].compact()?;
    lab.wait_routes()?;
    assert_eq!(lab.node(1).count_logged(OUTAGE_LOG), 0);
    Ok(())
}

/// Cuts node 1 off for longer than its presence lasts, and then repairs it; no node may withdraw a
/// route meanwhile.
fn without_a_network(cut: impl Fn(&Lab) -> Result, repair: impl Fn(&Lab) -> Result) -> Result {
    let mut lab = raise_with(3, &["--presence-ttl=2"])?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (before, theirs) = (routes(one)?, routes(two)?);
    let (a, b) = (one.add_pod("a1")?, one.add_pod("b1")?);
    cut(&lab)?;
    wait_logged(one, OUTAGE_LOG, 1)?;
    wait_logged(one, "is not shown as present", 1)?;
    wait_on(two, "lost presence of n1", || !is_present(&lab, one))?;
    assert_eq!([routes(one)?, routes(two)?], [before.clone(), theirs]);
    reach(&a, &b)?;
    add_and_delete_pods(one, b)?;
    a.delete()?;
    change(&mut lab)?;
    assert_eq!(routes(lab.node(1))?, before);

    repair(&lab)?;
    wait_changed(&lab)?;
    wait_logged(lab.node(1), RECOVERY_LOG, 1)?;
    assert_logged_once(lab.node(1));
    Ok(())
}

#[test]
fn node_without_carrier_and_its_peers_keep_their_routes() -> Result {
    without_a_network(|lab| lab.unplug(lab.node(1)), |lab| lab.plug(lab.node(1)))
}

#[test]
fn node_with_dropped_packets_and_its_peers_keep_routes() -> Result {
    without_a_network(|lab| lab.block(lab.node(1)), |lab| lab.forward(lab.node(1)))
}
