//! etcd loses its data: routes stay, and each node claims its subnets again.

use std::collections::BTreeSet;

use lab::{DEADLINE, Lab, Node, Result, wait_until};
use nix::sys::signal::Signal;

const SUBNETS: &str = "/flatland/flatland/subnets/";

fn raise(nodes: u8) -> Result<Lab> {
    let lab = Lab::builder().nodes(nodes).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    Ok(lab)
}

fn claims(lab: &Lab) -> Result<String> {
    lab.etcd()[0].ctl(&["get", "--prefix", SUBNETS])
}

/// The key of a claim.
fn key(subnet: &str) -> String {
    format!("{SUBNETS}{}", subnet.replace('/', "-"))
}

/// The routes with our protocol number, of every node.
fn routes(lab: &Lab) -> Result<Vec<Vec<String>>> {
    lab.nodes().iter().map(Node::routes).collect()
}

/// Waits until etcd has these claims again, while the kernel's routes must not change.
fn wait_claims(lab: &Lab, claimed: &str) -> Result {
    let before = routes(lab)?;
    wait_until("the claims", DEADLINE, || {
        assert_eq!(routes(lab).ok().as_ref(), Some(&before));
        claims(lab).is_ok_and(|now| now == claimed)
    })
    .map_err(|error| error.doing(lab.node(1).routed_log()))?;
    assert_eq!(routes(lab)?, before);
    let withdraws = |line: &str| line.ends_with(" withdrawn") || line.contains(" withdrawn: ");
    for node in lab.nodes() {
        let log = node.routed_log();
        assert!(!log.lines().any(withdraws), "{log}");
    }
    Ok(())
}

#[test]
fn claims_in_wiped_etcd_are_restored_and_routes_kept() -> Result {
    let lab = raise(3)?;
    let (claimed, before) = (claims(&lab)?, routes(&lab)?);
    let etcd = &lab.etcd()[0];
    etcd.stop()?;
    etcd.wipe()?;
    etcd.start()?;
    etcd.wait()?;

    wait_claims(&lab, &claimed)?;
    assert_eq!(routes(&lab)?, before);
    lab.node(1).wait_log("keeping all routes")?;
    lab.node(1).wait_log("is not in the registry any more")?;
    lab.node(1).wait_log("no route is held any more")
}

#[test]
fn claims_missing_in_a_backup_are_restored_and_routes_kept() -> Result {
    let mut lab = raise(1)?;
    lab.etcd()[0].save("/root/backup")?;
    for number in [2, 3] {
        lab.add_node()?;
        lab.node(number).start_routed()?;
    }
    lab.wait_routes()?;
    let claimed = claims(&lab)?;
    let etcd = &lab.etcd()[0];
    etcd.stop()?;
    etcd.restore("/root/backup")?;
    etcd.start()?;
    etcd.wait()?;

    wait_claims(&lab, &claimed)
}

#[test]
fn lost_claim_that_another_node_has_now_is_not_restored() -> Result {
    let lab = raise(2)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let pod = two.add_pod("old")?;
    let owned = two.owned_subnets()?;
    for node in [one, two] {
        node.end_routed(Signal::SIGKILL)?;
    }
    let etcd = &lab.etcd()[0];
    etcd.stop()?;
    etcd.wipe()?;
    etcd.start()?;
    etcd.wait()?;
    one.spawn_routed(&[])?;
    wait_until("claims of n1", DEADLINE, || {
        claims(&lab).is_ok_and(|claims| claims.contains("n1"))
    })?;
    etcd.ctl(&["put", &key(&owned[0]), r#"{"node":"n1"}"#])?;

    two.spawn_routed(&[])?;
    two.wait_log(&format!("{} belongs to node n1 now", owned[0]))?;
    two.wait_log(&format!("{} (container old)", pod.addresses()[0]))?;
    wait_until("another subnet", DEADLINE, || {
        two.owned_subnets()
            .is_ok_and(|now| now.len() == 2 && now[0] != owned[0] && !now.contains(&owned[0]))
    })
    .map_err(|error| error.doing(two.routed_log()))?;

    let claim = etcd.ctl(&["get", "--print-value-only", &key(&owned[0])])?;
    assert!(claim.contains("n1"), "{claim}");
    let new = two.add_pod("new")?;
    let (one, two): (BTreeSet<_>, BTreeSet<_>) = (
        one.owned_subnets()?.into_iter().collect(),
        two.owned_subnets()?.into_iter().collect(),
    );
    assert!(one.is_disjoint(&two), "{one:?} {two:?}");
    assert!(!two.contains(&owned[0]), "{:?}", new.addresses());
    Ok(())
}

#[test]
fn node_with_a_wrong_prefix_keeps_routes_and_recovers() -> Result {
    let mut lab = raise(2)?;
    let (claimed, before) = (claims(&lab)?, routes(&lab)?);
    let right = lab.node(2).conflist();
    let mut wrong = right.clone();
    wrong["plugins"][0]["ipam"]["etcd"]["prefix"] = "/elsewhere".into();
    lab.node(2).end_routed(Signal::SIGTERM)?;
    lab.node_mut(2).set_conflist(&wrong)?;
    lab.node(2).spawn_routed(&[])?;
    lab.node(2).wait_log("keeping all routes")?;
    wait_until("claims below the wrong prefix", DEADLINE, || {
        let keys = lab.etcd()[0].keys("/elsewhere/flatland/subnets/");
        keys.is_ok_and(|keys| keys.len() == 2)
    })?;
    assert_eq!(routes(&lab)?, before);

    lab.node(2).end_routed(Signal::SIGTERM)?;
    lab.node_mut(2).set_conflist(&right)?;
    lab.node(2).spawn_routed(&[])?;
    wait_until("presence", DEADLINE, || {
        let keys = lab.etcd()[0].keys("/flatland/flatland/presence/");
        keys.is_ok_and(|keys| keys.len() == 2)
    })?;
    assert_eq!((claims(&lab)?, routes(&lab)?), (claimed, before));
    Ok(())
}
