//! The DaemonSet that takes Flatland off a node, on which the daemon ran as a DaemonSet or a service.

use lab::{CommandOutput, DEADLINE, Error, Families, Lab, Process, Result, wait_until};
use nix::sys::signal::Signal;
use wire::paths::POLICY_LOCK;

use crate::node::{Kubelet, build_image, pod};

const CONTAINER: &str = "uninstall-1";

/// Waits until the readiness probe ends with `status` and the container's log has `text`.
fn wait_probe(kubelet: &Kubelet<'_>, client: &Process, status: i32, text: &str) -> Result {
    let mut last: Option<CommandOutput> = None;
    wait_until(format!("probe {status}, log {text:?}"), DEADLINE, || {
        last = kubelet.probe_readiness(CONTAINER).ok();
        let code = last.as_ref().and_then(|output| output.status.code());
        code == Some(status) && client.log().contains(text)
    })
    .map_err(|error| error.doing(format!("{last:?}\n{}", client.log())))
}

#[test]
fn uninstall_waits_for_routed_and_pods_then_cleans_the_node() -> Result {
    let lab = Lab::builder().nodes(1).families(Families::V4).start()?;
    let folder = tempfile::tempdir().map_err(|error| Error::new(error.to_string()))?;
    let node = lab.node(1);
    let image = build_image(node, folder.path())?;
    lab.start_routed()?;
    wait_until("a node that is ready", DEADLINE, || node.ready())?;
    let attached = node.add_pod("a")?;
    let kubelet = Kubelet::start(node, &image, pod("uninstall.yaml", "uninstall"), "")?;
    let client = kubelet.main(CONTAINER)?;
    wait_probe(&kubelet, &client, 1, "another routed runs on this node")?;

    // In the same pod, flatland-policy may take longer to end: it would put its table back.
    let hold = format!("exec flock {POLICY_LOCK} sh -c 'echo locked; read forever'");
    let policy = node.spawn("policy", None, &["sh", "-c", &hold])?;
    wait_until("the lock", DEADLINE, || policy.log().contains("locked"))?;
    node.end_routed(Signal::SIGTERM)?;
    wait_probe(&kubelet, &client, 1, "flatland-policy runs on this node")?;
    policy.end(Signal::SIGKILL)?;
    wait_probe(&kubelet, &client, 1, "1 pod is attached on this node")?;
    assert!(node.ready(), "a refusal changes nothing");

    attached.delete()?;
    wait_probe(&kubelet, &client, 0, "nothing of Flatland is left")?;
    assert_eq!(node.routes()?, Vec::<String>::new());
    for path in [
        "/run/flatland",
        "/var/lib/flatland",
        "/opt/cni/bin/flatland",
    ] {
        let gone = node.run(&["test", "!", "-e", path]);
        assert!(gone.is_ok(), "{path}: {}", client.log());
    }
    kubelet.end(CONTAINER, &client)
}
