//! etcd is down, silent, restarted, again and again.

use lab::{DEADLINE, Result, wait_until};
use nix::sys::signal::Signal;

use crate::support::{
    AWAY, BACK, add_and_delete_pods, assert_said_once, forget, is_present, join, raise, raise_with,
    wait_no_ways, wait_on, wait_said, wait_ways,
};

#[test]
fn a_change_made_while_etcd_was_silent_arrives_when_it_speaks_again() -> Result {
    let mut lab = raise(2)?;
    lab.etcd()[0].pause()?;
    lab.add_node()?;
    let three = lab.node(3);
    three.spawn_routed(&[])?;
    wait_until("routed that looks for etcd", DEADLINE, || {
        three.routed_log().contains("peers reach node n3")
    })?;
    assert!(!three.ready());
    lab.etcd()[0].resume()?;
    three.wait_ready()?;
    lab.wait_routes()
}

#[test]
fn without_etcd_pods_come_and_go_and_routes_stay_and_it_finds_all_as_it_was() -> Result {
    let lab = raise_with(2, &["--presence-ttl=2"])?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let routes = [one.routes()?, two.routes()?];
    let old = two.add_pod("old")?;
    lab.etcd()[0].stop()?;
    for node in lab.nodes() {
        wait_said(node, AWAY, 1)?;
        // Longer than the presence lasts.
        wait_said(node, "is not shown as present", 1)?;
    }
    add_and_delete_pods(one, old)?;
    assert_eq!([one.routes()?, two.routes()?], routes);

    lab.etcd()[0].start()?;
    for node in lab.nodes() {
        wait_said(node, BACK, 1)?;
        wait_on(node, "presence", || is_present(&lab, node))?;
        assert_said_once(node);
    }
    assert_eq!([one.routes()?, two.routes()?], routes);
    Ok(())
}

#[test]
fn a_change_arrives_in_seconds_after_a_restart_of_etcd() -> Result {
    let mut lab = raise(3)?;
    lab.etcd()[0].stop()?;
    lab.etcd()[0].start()?;
    join(&mut lab)?;
    let [one, three, four] = [lab.node(1), lab.node(3), lab.node(4)];
    four.wait_ready()?;
    wait_ways(one, four)?;
    three.end_routed(Signal::SIGTERM)?;
    forget(one, three)?;
    wait_no_ways(one, three)?;
    assert_said_once(one);
    Ok(())
}

#[test]
fn an_etcd_that_comes_and_goes_costs_no_memory_and_a_line_each_time() -> Result {
    const WARM_UP: usize = 3;
    const TIMES: usize = 9;
    let lab = raise(2)?;
    let (one, etcd) = (lab.node(1), &lab.etcd()[0]);
    let routes = one.routes()?;
    let mut warm = 0;
    for time in 1..=TIMES {
        etcd.stop()?;
        wait_said(one, AWAY, time)?;
        etcd.start()?;
        wait_said(one, BACK, time)?;
        if time == WARM_UP {
            warm = one.routed_memory()?;
        }
    }

    let end = one.routed_memory()?;
    assert!(end <= warm + 512, "from {warm} KiB to {end} KiB");
    assert_eq!([one.said(AWAY), one.said(BACK)], [TIMES; 2]);
    assert_eq!(one.routes()?, routes);
    assert!(
        one.said("is not shown as present") == 0,
        "{}",
        one.routed_log()
    );
    Ok(())
}
