//! A node with Debian's own firewalld, not a copy of its rules.

use lab::{DEADLINE, Families, Firewalld, Result, wait_until};
use serde_json::json;

use crate::support::{apply_cure, back_within_a_second, outside, raise, reaches, seen, table};

/// The chain in which firewalld rejects packets that no zone accepts.
const CHAIN: &str = "chain filter_FORWARD of table inet firewalld";

#[test]
fn pods_pass_firewalld_after_the_logged_cure_and_reloads() -> Result {
    let lab = raise(2, Families::Dual, &json!({ "ipMasq": true }))?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (a, b, c) = (one.add_pod("a")?, two.add_pod("b")?, one.add_pod("c")?);
    let (external, _server) = outside(&lab, 200, one)?;
    let pass = || reaches(&a, &b) && reaches(&b, &a) && reaches(&a, &c);
    let own = table(one);
    assert!(pass());

    let mut firewalld = Firewalld::start(one)?;
    let drops = format!("{CHAIN} drops");
    wait_until("advice", DEADLINE, || one.routed_log().contains(&drops))
        .map_err(|error| error.doing(one.routed_log()))?;
    assert!(!reaches(&a, &b) && !reaches(&b, &a));
    let doctor =
        one.routed_command(&["doctor", "--conflist", "/etc/flatland/10-flatland.conflist"])?;
    assert!(doctor.stdout.contains(&drops), "{}", doctor.stdout);

    apply_cure(one, &drops)?;
    let passes = format!("{CHAIN} no longer drops packets of pods");
    wait_until("log line about the success", DEADLINE, || {
        one.routed_log().contains(&passes)
    })
    .map_err(|error| error.doing(one.routed_log()))?;
    assert!(pass());

    for _ in 0..3 {
        firewalld.reload()?;
        back_within_a_second(one, "table after a reload", || table(one) == own)?;
        back_within_a_second(one, "a pod after a reload", || reaches(&a, &b))?;
        // Six pings are needed to see it.
        wait_until("all pods after a reload", DEADLINE, pass)?;
    }
    // Pods are masqueraded as before.
    assert_eq!(seen(&a, external.addresses())?, one.addresses());

    firewalld.restart()?;
    back_within_a_second(one, "table after a restart", || table(one) == own)?;
    back_within_a_second(one, "a pod after a restart", || reaches(&a, &b))?;
    wait_until("all pods after a restart", DEADLINE, pass)?;
    assert_eq!(seen(&a, external.addresses())?, one.addresses());
    Ok(())
}
