//! Programs that the container runtime needs besides ours.

use lab::{DEADLINE, Lab, Result, wait_until};
use serde_json::json;

use crate::support::{doctor, sh, wait_readyz, wait_said};

#[test]
fn plugins_that_a_runtime_needs_besides_ours_are_named() -> Result {
    let mut lab = Lab::builder().nodes(1).etcd(0).start()?;
    let mut conflist = lab.conflist();
    let plugins = conflist["plugins"].as_array_mut().unwrap();
    plugins.push(json!({ "type": "tuning" }));
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
        "without /opt/cni/bin/tuning",
        "without /opt/cni/bin/loopback",
    ] {
        assert!(said.contains(part), "{said}");
    }
    node.start_routed()?;

    let tuning = "every pod fails without /opt/cni/bin/tuning";
    let loopback = "containerd makes no pod without /opt/cni/bin/loopback";
    wait_readyz(node, 503, tuning)?;
    wait_said(node, &["status"], &[": not well", tuning, loopback])?;
    let found = doctor(node, "other plugins")?;
    assert!(
        found.starts_with("broken") && found.contains(tuning),
        "{found}"
    );

    node.install_plugins(&["tuning"])?;
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

#[test]
fn optional_plugins_are_chained_where_the_node_has_them() -> Result {
    let mut lab = Lab::builder().nodes(1).etcd(0).start()?;
    let mut conflist = lab.conflist();
    let plugins = conflist["plugins"].as_array_mut().unwrap();
    plugins.push(json!({ "type": "portmap", "capabilities": { "portMappings": true } }));
    plugins.push(json!({ "type": "bandwidth", "capabilities": { "bandwidth": true } }));
    lab.node_mut(1).set_conflist(&conflist)?;
    let node = lab.node(1);
    node.install_plugins(&["bandwidth"])?;
    node.start_routed()?;
    wait_readyz(node, 200, "ok")?;
    let chain = || {
        sh(
            node,
            "grep -o 'flatland\"\\|portmap\"\\|bandwidth\"' $file | sort -u",
        )
    };
    let installed = chain()?;
    assert!(
        !installed.contains("portmap") && installed.contains("bandwidth"),
        "{installed}"
    );
    let notice = "pods on this node have no hostPort: /opt/cni/bin has no portmap";
    wait_said(node, &["status"], &[": well, see the remarks", notice])?;
    let found = doctor(node, "other plugins")?;
    assert!(found.contains("ok"), "{found}");
    assert!(node.routed_log().contains(notice), "{}", node.routed_log());
    let pod = node.add_pod("a")?;

    // A plugin that comes later is taken into the chain, and pods of before can be deleted.
    node.install_plugins(&["portmap"])?;
    wait_until("portmap in the conflist", DEADLINE, || {
        chain().is_ok_and(|it| it.contains("portmap"))
    })?;
    wait_said(node, &["status"], &[": well"])?;
    node.add_pod("b")?.delete()?;
    pod.delete()
}
