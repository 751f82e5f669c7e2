//! Programs that the container runtime needs besides ours.

use lab::{Lab, Result};
use serde_json::json;

use crate::support::{doctor, sh, wait_readyz, wait_said};

#[test]
fn plugins_that_a_runtime_needs_besides_ours_are_named() -> Result {
    let mut lab = Lab::builder().nodes(1).etcd(0).start()?;
    let mut conflist = lab.conflist();
    let plugins = conflist["plugins"].as_array_mut().unwrap();
    plugins.push(json!({ "type": "portmap" }));
    lab.node_mut(1).set_conflist(&conflist)?;
    let node = lab.node(1);
    sh(
        node,
        "mkdir -p /run/containerd && touch /run/containerd/containerd.sock",
    )?;
    let install = [
        "install",
        "--conflist",
        "/etc/flatland/10-flatland.conflist",
    ];
    let install = [&install[..], &["--from", "/opt/cni/bin"]].concat();
    let said = node.routed_command(&install)?.success()?;
    for part in [
        "without /opt/cni/bin/portmap",
        "without /opt/cni/bin/loopback",
    ] {
        assert!(said.contains(part), "{said}");
    }
    node.start_routed()?;

    let portmap = "every pod fails without /opt/cni/bin/portmap";
    let loopback = "containerd makes no pod without /opt/cni/bin/loopback";
    wait_readyz(node, 503, portmap)?;
    wait_said(node, &["status"], &[": not well", portmap, loopback])?;
    let found = doctor(node, "other plugins")?;
    assert!(
        found.starts_with("broken") && found.contains(portmap),
        "{found}"
    );

    node.install_plugins(&["portmap"])?;
    wait_readyz(node, 200, "ok")?;
    wait_said(
        node,
        &["status"],
        &[": not well", "ready      yes", loopback],
    )?;
    let found = doctor(node, "other plugins")?;
    assert!(
        found.starts_with("broken") && found.contains(loopback),
        "{found}"
    );

    node.install_plugins(&["loopback"])?;
    wait_said(node, &["status"], &[": well"])?;
    let found = doctor(node, "other plugins")?;
    assert!(found.starts_with("ok"), "{found}");
    // Ours are needed, too.
    sh(node, "mv /opt/cni/bin/flatland-ipam /tmp")?;
    wait_readyz(
        node,
        503,
        "every pod fails without /opt/cni/bin/flatland-ipam",
    )
}
