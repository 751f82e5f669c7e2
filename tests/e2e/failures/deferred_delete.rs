//! Interfaces that DEL takes out of use, and their deletion by later calls.

use lab::{DEADLINE, Node, Result, Runtime, Target, wait_until};
use serde_json::json;
use wire::cni::CniVersion;

use crate::support::lab;

/// A pod whose DEL was killed after it had taken the interface out of use, in the node's and in the
/// pod's namespace.
fn take_out_of_use(node: &Node, name: &str) -> Result {
    let pod = node.add_pod(name)?;
    let host = &pod.result().interfaces[0].name;
    let group = wire::REMOVED_GROUP.to_string();
    node.run(&["ip", "link", "set", host, "down", "group", &group])?;
    Ok(())
}

fn left(node: &Node) -> Result<String> {
    let group = wire::REMOVED_GROUP.to_string();
    node.run(&["ip", "-o", "link", "show", "group", &group])
}

#[test]
fn interface_left_by_a_killed_del_goes_with_the_next_call() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let runtime = Runtime::of(node)?.with_version(CniVersion::V1_1_0);
    let ended = || {
        wait_until("end of removed interfaces", DEADLINE, || {
            left(node).is_ok_and(|left| left.is_empty())
        })
    };

    let other = node.add_pod("other")?;
    take_out_of_use(node, "by-del")?;
    assert!(!left(node)?.is_empty());
    other.delete()?;
    ended()?;

    take_out_of_use(node, "by-gc")?;
    runtime.gc(&[])?;
    assert_eq!(left(node)?, "");

    // The interfaces that are to be deleted still have the names that the new ones get.
    let pod = node.add_pod("by-add")?;
    let host = &pod.result().interfaces[0].name;
    let group = wire::REMOVED_GROUP.to_string();
    node.run(&["ip", "link", "set", host, "down", "group", &group])?;
    node.run(&["rm", "-r", "/run/flatland/flatland"])?;
    let attached = runtime.add(pod.target())?;
    runtime.check(pod.target(), &attached)?;

    take_out_of_use(node, "by-routed")?;
    node.start_routed()?;
    ended()
}

#[test]
fn removed_interface_is_hidden_and_its_name_free_at_once() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    for round in 0..5 {
        let mut pod = node.sandbox(&format!("p{round}"))?;
        for _ in 0..3 {
            pod.attach()?;
            pod.check()?;
            pod.detach()?;
            let links = pod.run(&["ip", "-o", "link"])?;
            assert!(!links.contains("eth0"), "{links}");
            assert_eq!(pod.run(&["ip", "-4", "route"])?, "");
        }
    }
    Ok(())
}

#[test]
fn del_with_a_conflist_that_add_refuses_works() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let before = node.attachment_state()?;
    let pod = node.add_pod("a")?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["mtuu"] = json!(1400);
    conflist["plugins"][0]["sysctl"] = json!("nonsense");
    let runtime = Runtime::with(node, conflist.clone())?;
    let refused = runtime.add(pod.target()).expect_err("this is no conflist");
    assert!(refused.to_string().contains("mtuu"), "{refused}");

    runtime.del(pod.target(), None)?;

    assert_eq!(node.attachment_state()?, before);
    // Without the IPAM plugin's name, the interface is deleted and the addresses stay reserved.
    let pod = node.add_pod("b")?;
    conflist["plugins"][0]["ipam"] = json!({});
    let runtime = Runtime::with(node, conflist)?;
    let failed = runtime.del(pod.target(), None).expect_err("no name");
    assert!(
        failed.to_string().contains("type is missing in ipam"),
        "{failed}"
    );
    assert_eq!(node.routes()?, Vec::<String>::new());
    let held = node.run(&["ls", "/run/flatland/flatland/addresses"])?;
    assert!(held.contains(&pod.addresses()[0].to_string()), "{held}");
    pod.detach()?;
    assert_eq!(node.attachment_state()?, before);
    Ok(())
}

#[test]
fn del_of_an_unknown_pod_changes_nothing() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    let before = node.attachment_state()?;
    let target = Target {
        container_id: "never",
        interface: "eth0",
        ..Target::default()
    };
    for _ in 0..2 {
        Runtime::of(node)?.del(target, None)?;
    }
    assert_eq!(node.attachment_state()?, before);
    Ok(())
}
