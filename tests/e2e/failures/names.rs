//! Interfaces of others with names and aliases that are not text.

use lab::{Result, Runtime};
use nix::sys::signal::Signal;
use wire::cni::CniVersion;

use crate::support::lab;

/// Interfaces with a name that is not UTF-8, one that clears a terminal, and aliases of the kind; the
/// kernel accepts all of them. `IP` is `ip`, on the node or in a pod.
const STRANGE: &str = r#"
latin=$(printf 'b\344d')
IP link add "$latin" type veth peer name "$(printf '\033[2J')"
IP link set "$latin" alias "$(printf 'flatland \377/eth0')"
IP link set "$latin" up
IP link add strange type bridge
IP link set strange alias "$(printf '\033[31mred')"
IP addr add 10.99.0.1/24 dev "$latin" label "$(printf 'b\344d:1')"
"#;

#[test]
fn interface_whose_name_is_not_utf_8_breaks_nothing() -> Result {
    let lab = lab()?;
    let node = lab.node(1);
    node.run(&["sh", "-ec", &STRANGE.replace("IP", "ip")])?;
    let runtime = Runtime::of(node)?.with_version(CniVersion::V1_1_0);
    let (kept, stale) = (node.sandbox("kept")?, node.sandbox("stale")?);
    kept.run(&["sh", "-ec", &STRANGE.replace("IP", "ip")])?;
    let attached = runtime.add(kept.target())?;
    runtime.add(stale.target())?;
    runtime.check(kept.target(), &attached)?;
    runtime.gc(&[kept.target()])?;
    runtime.status()?;
    let links = node.run(&["ip", "-o", "link"])?;
    assert!(!links.contains("stale/eth0"), "{links}");

    for _ in 0..2 {
        node.start_routed()?;
        let status = node.routed_command(&["status"])?;
        let doctor = node.routed_command(&["doctor"])?;
        for output in [&status.stdout, &doctor.stdout, &node.routed_log()] {
            assert!(!output.contains("\x1b[2J"), "{output:?}");
            assert!(!output.contains("cannot be read"), "{output:?}");
        }
        let pod = node.add_pod("more")?;
        pod.check()?;
        pod.delete()?;
        node.end_routed(Signal::SIGTERM)?;
    }
    runtime.check(kept.target(), &attached)?;
    runtime.del(kept.target(), Some(&attached))
}
