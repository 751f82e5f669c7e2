//! Readiness says what is there, not what this process has done.

use lab::{DEADLINE, Families, Lab, Result, wait_until};
use nix::sys::signal::Signal;

use crate::support::{sh, wait_readyz, wait_said};

#[test]
fn routed_restarted_without_etcd_is_ready_for_pods() -> Result {
    let lab = Lab::builder().nodes(2).families(Families::V4).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    wait_readyz(lab.node(1), 200, "ok")?;
    lab.etcd()[0].stop()?;
    for node in lab.nodes() {
        node.end_routed(Signal::SIGKILL)?;
    }
    for node in lab.nodes() {
        node.spawn_routed(&[])?;
    }
    for node in lab.nodes() {
        wait_readyz(node, 200, "ok")?;
        let lines = ["ready      yes", "the registry has been out of reach for"];
        let said = wait_said(node, &["status"], &lines)?;
        assert!(!said.stdout.contains("not ready"), "{}", said.stdout);
    }
    let [one, two] = [lab.node(1), lab.node(2)];
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    a.run(&["ping", "-c1", "-W5", &b.addresses()[0].to_string()])?;

    // Another program removes the conflist, while routed runs, and while it does not.
    for is_down in [false, true] {
        let before = sh(one, r#"cat "$file""#)?;
        if is_down {
            one.end_routed(Signal::SIGTERM)?;
        }
        sh(one, r#"rm "$file""#)?;
        if is_down {
            one.spawn_routed(&[])?;
        }
        wait_until("the conflist put back", DEADLINE, || {
            sh(one, r#"cat "$file""#).is_ok_and(|now| now == before)
        })
        .map_err(|error| error.doing(one.routed_log()))?;
        wait_readyz(one, 200, "ok")?;
    }
    one.add_pod("c")?;
    // After a reboot, the routes are not there.
    two.end_routed(Signal::SIGTERM)?;
    two.run(&["rm", "-r", "/run/flatland/flatland/routed.json"])?;
    sh(two, r#"rm "$file""#)?;
    two.spawn_routed(&[])?;
    wait_readyz(two, 503, "the registry has not been read yet")?;
    wait_said(
        two,
        &["status"],
        &["the registry has been out of reach for"],
    )?;
    assert!(sh(two, r#"test -e "$file""#).is_err());
    lab.etcd()[0].start()?;
    wait_until("both nodes ready", DEADLINE, || {
        lab.nodes()
            .iter()
            .all(|node| crate::support::readyz(node).is_ok_and(|it| it.0 == 200))
    })
}
