//! etcd is down, unresponsive or restarted, once and repeatedly.

use lab::{DEADLINE, Result, wait_until};
use nix::sys::signal::Signal;

use crate::support::{
    OUTAGE_LOG, RECOVERY_LOG, add_and_delete_pods, assert_logged_once, forget, is_present, join,
    raise, raise_with, wait_logged, wait_no_routes_to, wait_on, wait_routes_to,
};

#[test]
fn change_made_while_etcd_was_frozen_arrives_afterwards() -> Result {
    let mut lab = raise(2)?;
    lab.etcd()[0].pause()?;
    lab.add_node()?;
    let three = lab.node(3);
    three.spawn_routed(&[])?;
    wait_until("reconnection of routed", DEADLINE, || {
        three.routed_log().contains("peers reach node n3")
    })?;
    assert!(!three.ready());
    lab.etcd()[0].resume()?;
    three.wait_ready()?;
    lab.wait_routes()
}

#[test]
fn pods_and_routes_work_during_an_etcd_outage() -> Result {
    let lab = raise_with(2, &["--presence-ttl=2"])?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let routes = [one.routes()?, two.routes()?];
    let old = two.add_pod("old")?;
    lab.etcd()[0].stop()?;
    for node in lab.nodes() {
        wait_logged(node, OUTAGE_LOG, 1)?;
        // Longer than the presence lasts.
        wait_logged(node, "is not shown as present", 1)?;
    }
    add_and_delete_pods(one, old)?;
    assert_eq!([one.routes()?, two.routes()?], routes);

    lab.etcd()[0].start()?;
    for node in lab.nodes() {
        wait_logged(node, RECOVERY_LOG, 1)?;
        wait_on(node, "presence", || is_present(&lab, node))?;
        assert_logged_once(node);
    }
    assert_eq!([one.routes()?, two.routes()?], routes);
    Ok(())
}

#[test]
fn change_after_an_etcd_restart_arrives_in_seconds() -> Result {
    let mut lab = raise(3)?;
    lab.etcd()[0].stop()?;
    lab.etcd()[0].start()?;
    join(&mut lab)?;
    let [one, three, four] = [lab.node(1), lab.node(3), lab.node(4)];
    four.wait_ready()?;
    wait_routes_to(one, four)?;
    three.end_routed(Signal::SIGTERM)?;
    forget(one, three)?;
    wait_no_routes_to(one, three)?;
    assert_logged_once(one);
    Ok(())
}

#[test]
fn repeated_etcd_outages_leak_no_memory_and_log_once_each() -> Result {
    const WARM_UP: usize = 3;
    const TIMES: usize = 9;
    let lab = raise(2)?;
    let (one, etcd) = (lab.node(1), &lab.etcd()[0]);
    let routes = one.routes()?;
    let mut warm = 0;
    for time in 1..=TIMES {
        etcd.stop()?;
        wait_logged(one, OUTAGE_LOG, time)?;
        etcd.start()?;
        wait_logged(one, RECOVERY_LOG, time)?;
        if time == WARM_UP {
            warm = one.routed_memory()?;
        }
    }

    let end = one.routed_memory()?;
    assert!(end <= warm + 512, "from {warm} KiB to {end} KiB");
    assert_eq!(
        [one.count_logged(OUTAGE_LOG), one.count_logged(RECOVERY_LOG)],
        [TIMES; 2]
    );
    assert_eq!(one.routes()?, routes);
    assert!(
        one.count_logged("is not shown as present") == 0,
        "{}",
        one.routed_log()
    );
    Ok(())
}
