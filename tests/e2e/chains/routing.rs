//! sbr after us: it moves a pod's routes into a table of its own, for what comes from the pod's
//! addresses.

use std::net::IpAddr;

use lab::{Node, Result, Runtime};
use serde_json::json;
use wire::cni::Version;

use crate::support::{Chained, node_with, plain};

/// DEL but once: a second one Debian 12's sbr fails, whoever comes before it, as it finds no
/// interface.
fn delete(chained: Chained<'_>) -> Result {
    let target = chained.pod.target();
    chained.runtime.del(target, Some(&chained.attached))?;
    chained.pod.vanish()
}

#[test]
fn routes_that_sbr_moved_into_its_own_table_are_found_there() -> Result {
    let lab = node_with(&json!({ "type": "sbr" }))?;
    let node = lab.node(1);
    delete(Chained::add(node, "first", &plain())?)?;
    for version in [Version::V0_4_0, Version::V1_0_0] {
        moved_and_found(node, version)?;
    }
    Ok(())
}

/// Two pods come, meet and go in this version.
fn moved_and_found(node: &Node, version: Version) -> Result {
    let before = node.traces()?;
    let add = |name| Chained::add_by(Runtime::of(node)?.speaking(version), node, name);
    let (a, peer) = (add("a")?, add("peer")?);
    let main = a.pod.run(&["ip", "-4", "route", "show", "default"])?;
    assert_eq!(main, "", "sbr moves the default route");
    for (own, target) in a.addresses().iter().zip(&peer.addresses()) {
        let [own, target] = [own, target].map(IpAddr::to_string);
        a.pod.run(&["ping", "-c1", "-W5", "-I", &own, &target])?;
        node.run(&["ping", "-c1", "-W5", &own])?;
    }
    a.check()?;

    // What is wrong in that table is found as it would be in the main one.
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
    assert_eq!(node.traces()?, before);
    Ok(())
}
