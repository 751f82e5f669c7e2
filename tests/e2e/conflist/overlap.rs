//! A network inside the pod CIDR, such as that of a docker bridge, when `routed` starts.

use lab::{Families, Lab, Result};
use nix::sys::signal::Signal;

use crate::support::{wait_readyz, wait_said};

const BRIDGE: [&[&str]; 3] = [
    &["ip", "link", "add", "docker0", "type", "bridge"],
    &["ip", "address", "add", "10.244.9.1/24", "dev", "docker0"],
    &["ip", "link", "set", "docker0", "up"],
];

const OVERLAP: &str = "pod CIDR 10.244.0.0/16 overlaps 10.244.9.1/24, a network this node is on";

#[test]
fn overlap_at_the_start_is_waited_for() -> Result {
    let lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let node = lab.node(1);
    for command in BRIDGE {
        node.run(command)?;
    }
    node.spawn_routed(&[])?;
    node.wait_log(OVERLAP)?;
    wait_readyz(node, 503, OVERLAP)?;
    wait_said(
        node,
        &["status"],
        &["not ready for pods: pod CIDR 10.244.0.0/16"],
    )?;
    let doctor = ["doctor", "--conflist", "/etc/flatland/10-flatland.conflist"];
    let broken = "broken   overlapping CIDRs: pod CIDR 10.244.0.0/16 and 10.244.9.1/24";
    wait_said(node, &doctor, &[broken])?;
    assert_eq!(lab.etcd()[0].keys("/flatland")?, Vec::<String>::new());
    assert!(!node.ready() && node.routed_runs());

    node.run(&["ip", "link", "del", "docker0"])?;
    node.wait_ready()?;
    wait_readyz(node, 200, "ok")?;

    // A node that has its subnets goes on, and says so.
    for command in BRIDGE {
        node.run(command)?;
    }
    node.end_routed(Signal::SIGTERM)?;
    node.spawn_routed(&[])?;
    wait_readyz(node, 200, "ok")?;
    wait_said(node, &["status"], &[": not well", OVERLAP])?;
    node.run(&["ip", "link", "del", "docker0"])?;
    wait_said(node, &["status"], &[": well"]).map(drop)
}

#[test]
fn files_that_are_missing_at_the_start_are_waited_for() -> Result {
    let mut lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let gone = [
        "/opt/flatland/routed",
        "run",
        "--conflist",
        "/etc/no.conflist",
    ];
    let output = lab.node(1).run_with(&gone, b"")?;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    lab.node(1).write("/etc/bad.conflist", "{}")?;
    let bad = [
        "/opt/flatland/routed",
        "run",
        "--conflist",
        "/etc/bad.conflist",
    ];
    let output = lab.node(1).run_with(&bad, b"")?;
    assert_eq!(output.status.code(), Some(64), "{output:?}");

    let mut conflist = lab.conflist();
    let etcd = &mut conflist["plugins"][0]["ipam"]["etcd"];
    etcd["endpoints"] = serde_json::json!(["https://192.168.1.2:2379"]);
    etcd["caFile"] = "/etc/flatland/etcd/ca.crt".into();
    lab.node_mut(1).set_conflist(&conflist)?;
    let node = lab.node(1);
    node.spawn_routed(&[])?;
    wait_readyz(node, 503, "/etc/flatland/etcd/ca.crt")?;
    wait_said(
        node,
        &["status"],
        &["not ready for pods: the registry has not been read yet"],
    )?;
    assert!(node.routed_runs());
    Ok(())
}
