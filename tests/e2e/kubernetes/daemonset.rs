//! The containers of the DaemonSet, with their mounts, capabilities and read-only root.

use k8s_openapi::api::core::v1::ConfigMap;
use lab::{DEADLINE, Error, Families, Lab, Node, Result, wait_until};
use serde_json::Value;

use crate::manifests::{file, find};
use crate::node::{Kubelet, build_image, pod};

/// The manifest's conflist, with the lab's etcd.
fn conflist(lab: &Lab) -> Result<String> {
    let map: ConfigMap = find(
        &file("kubernetes/flatland-etcd.yaml"),
        "ConfigMap",
        "flatland",
    );
    let text = &map.data.unwrap()["10-flatland.conflist"];
    let mut conflist: Value =
        serde_json::from_str(text).map_err(|error| Error::new(error.to_string()))?;
    conflist["plugins"][0]["ipam"]["etcd"] = lab.conflist()["plugins"][0]["ipam"]["etcd"].take();
    Ok(conflist.to_string())
}

/// Nothing of Flatland is on the node before.
fn start<'a>(node: &'a Node, image: &[u8], conflist: &str) -> Result<Kubelet<'a>> {
    node.run(&["rm", "-r", "/opt/cni/bin", "/etc/cni"])?;
    Kubelet::start(node, image, pod("flatland-etcd.yaml", "routed"), conflist)
}

/// The answer to a probe of kubelet.
fn probe(node: &Node, path: &str) -> Result<String> {
    node.run(&[
        "busybox",
        "wget",
        "-qO-",
        &format!("http://127.0.0.1:9470{path}"),
    ])
}

fn setting(node: &Node, name: &str) -> Result<String> {
    let value = node.run(&["sysctl", "-n", name])?;
    Ok(value.trim().to_owned())
}

#[test]
fn daemonset_rolls_out_without_a_lost_packet() -> Result {
    let lab = Lab::builder().nodes(2).families(Families::V4).start()?;
    let folder = tempfile::tempdir().map_err(|error| Error::new(error.to_string()))?;
    let image = build_image(lab.node(1), folder.path())?;
    let conflist = conflist(&lab)?;
    let kubelets = [
        start(lab.node(1), &image, &conflist)?,
        start(lab.node(2), &image, &conflist)?,
    ];
    let mut running = Vec::new();
    for (node, kubelet) in lab.nodes().iter().zip(&kubelets) {
        assert_eq!(setting(node, "net.ipv4.ip_forward")?, "0");
        let printed = kubelet.init()?.success()?;
        assert!(
            printed.contains("/host/opt/cni/bin/flatland installed"),
            "{printed}"
        );
        assert_eq!(setting(node, "net.ipv4.ip_forward")?, "1", "{printed}");
        running.push(kubelet.main("routed-1")?);
    }
    for ((node, kubelet), client) in lab.nodes().iter().zip(&kubelets).zip(&running) {
        wait_until("a node that is ready", DEADLINE, || {
            let probed = kubelet.probe_readiness("routed-1");
            node.ready() && probed.is_ok_and(|output| output.status.success())
        })
        .map_err(|error| error.doing(client.log()))?;
        probe(node, "/readyz")?;
        probe(node, "/healthz")?;
        let status = kubelet.exec("routed-1", &["routed", "status"])?;
        assert!(status.stdout.contains("of network flatland"), "{status:?}");
    }
    lab.wait_routes()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    let target = b.addresses()[0].to_string();
    a.run(&["ping", "-c1", "-W5", &target])?;
    b.run(&["ping", "-c1", "-W5", &a.addresses()[0].to_string()])?;

    // A newer version replaces the old one while packets flow.
    let flow = a.spawn("ping", &["ping", "-i0.02", "-c200", &target])?;
    for (kubelet, client) in kubelets.iter().zip(running.drain(..)) {
        kubelet.end("routed-1", &client)?;
        kubelet.init()?.success()?;
    }
    for kubelet in &kubelets {
        running.push(kubelet.main("routed-2")?);
    }
    for node in lab.nodes() {
        wait_until("a second readiness", DEADLINE, || {
            probe(node, "/readyz").is_ok()
        })?;
    }
    wait_until("end of the flow", DEADLINE, || !flow.running())?;
    let printed = flow.log();
    assert!(printed.contains(" 0% packet loss"), "{printed}");
    assert!(printed.contains("200 packets transmitted"), "{printed}");
    a.delete()?;
    b.delete()
}

/// kubelet puts the output of the probe into an event, which `kubectl describe pod` shows.
#[test]
fn readiness_probe_says_what_is_missing() -> Result {
    let lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let folder = tempfile::tempdir().map_err(|error| Error::new(error.to_string()))?;
    let image = build_image(lab.node(1), folder.path())?;
    let kubelet = start(lab.node(1), &image, &conflist(&lab)?)?;
    kubelet.init()?.success()?;
    let etcd = &lab.etcd()[0];
    etcd.stop()?;
    let client = kubelet.main("routed-1")?;
    let wait_probe = |status, text: &str| {
        let mut last = None;
        wait_until(format!("{text} of the probe"), DEADLINE, || {
            let probed = kubelet.probe_readiness("routed-1");
            let is_it = |output: &lab::CommandOutput| {
                output.status.code() == Some(status) && output.stdout.contains(text)
            };
            let found = probed.as_ref().is_ok_and(is_it);
            last = Some(probed);
            found
        })
        .map_err(|error| error.doing(format!("{last:?}\n{}", client.log())))
    };
    let missing = "not ready for pods: the registry has not been read yet: etcd at http://";
    wait_probe(1, missing)?;
    etcd.start()?;
    wait_probe(0, "ready for pods")
}

#[test]
fn unprivileged_daemon_repairs_node_settings() -> Result {
    let lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let folder = tempfile::tempdir().map_err(|error| Error::new(error.to_string()))?;
    let image = build_image(lab.node(1), folder.path())?;
    let node = lab.node(1);
    let kubelet = start(node, &image, &conflist(&lab)?)?;
    kubelet.init()?.success()?;
    let client = kubelet.main("routed-1")?;
    wait_until("a node that is ready", DEADLINE, || node.ready())
        .map_err(|error| error.doing(client.log()))?;

    node.run(&["nft", "flush", "ruleset"])?;
    node.run(&["sysctl", "-qw", "net.ipv4.ip_forward=0"])?;

    wait_until("our table", DEADLINE, || {
        node.run(&["nft", "list", "table", "inet", "flatland"])
            .is_ok()
    })
    .map_err(|error| error.doing(client.log()))?;
    kubelet.end("routed-1", &client)?;
    let client = kubelet.main("routed-2")?;
    wait_until("forwarding", DEADLINE, || {
        setting(node, "net.ipv4.ip_forward").is_ok_and(|value| value == "1")
    })
    .map_err(|error| error.doing(client.log()))
}
