//! The sbr plugin after ours: it moves a pod's routes into a separate table for packets from the
//! pod's addresses.

use std::net::IpAddr;

use lab::{Node, Result, Runtime};
use serde_json::json;
use wire::cni::CniVersion;

use crate::support::{Chained, no_runtime_config, node_with};

/// Calls DEL only once: Debian 12's sbr fails a second DEL after any plugin, because the interface
/// is gone.
fn delete(chained: Chained<'_>) -> Result {
    let target = chained.pod.target();
    chained.runtime.del(target, Some(&chained.attached))?;
    chained.pod.delete_netns()
}

#[test]
fn routes_moved_to_another_table_by_sbr_pass_check() -> Result {
    let lab = node_with(&json!({ "type": "sbr" }))?;
    let node = lab.node(1);
    delete(Chained::add(node, "first", &no_runtime_config())?)?;
    for version in [CniVersion::V0_4_0, CniVersion::V1_0_0] {
        moved_and_found(node, version)?;
    }
    Ok(())
}

/// Adds two pods in this version, tests them and deletes them.
fn moved_and_found(node: &Node, version: CniVersion) -> Result {
    let before = node.attachment_state()?;
    let add = |name| Chained::add_by(Runtime::of(node)?.with_version(version), node, name);
    let (a, peer) = (add("a")?, add("peer")?);
    let main = a.pod.run(&["ip", "-4", "route", "show", "default"])?;
    assert_eq!(main, "", "sbr moves the default route");
    for (own, target) in a.addresses().iter().zip(&peer.addresses()) {
        let [own, target] = [own, target].map(IpAddr::to_string);
        a.pod.run(&["ping", "-c1", "-W5", "-I", &own, &target])?;
        node.run(&["ping", "-c1", "-W5", &own])?;
    }
    a.check()?;

    // CHECK finds faults in that table as it would in the main table.
    let rules = a.pod.run(&["ip", "-4", "rule"])?;
    let rule = rules.lines().find(|rule| rule.contains("from 10."));
    let table = rule.and_then(|rule| rule.split_whitespace().last());
    let table = table.expect("sbr makes a rule").to_owned();
    a.pod
        .run(&["ip", "route", "del", "default", "table", &table])?;
    let error = a.check_first().expect_err("its route is gone").to_string();
    let missing = "the route to 0.0.0.0/0 through eth0 is missing";
    assert!(error.contains(missing), "{error}");

    delete(a)?;
    delete(peer)?;
    assert_eq!(node.attachment_state()?, before);
    Ok(())
}
