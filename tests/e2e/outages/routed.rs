//! `routed` is killed, upgraded, or started before etcd.

use lab::{DEADLINE, Lab, Result, wait_until};
use nix::sys::signal::Signal;

use crate::support::{
    OUTAGE_LOG, add_and_delete_pods, assert_logged_once, change, is_present, raise, raise_with,
    reach, routes, wait_changed, wait_logged,
};

#[test]
fn routed_started_without_etcd_keeps_routes_then_converges() -> Result {
    let lab = raise(2)?;
    let one = lab.node(1);
    let routes = one.routes()?;
    lab.etcd()[0].stop()?;
    one.end_routed(Signal::SIGKILL)?;
    one.spawn_routed(&[])?;
    wait_until("log line about the missing etcd", DEADLINE, || {
        one.routed_log().contains("http://192.168.1.2:2379") || !one.routed_runs()
    })?;

    assert!(one.routed_runs(), "{}", one.routed_log());
    assert_eq!(one.routes()?, routes);
    let pod = one.add_pod("a")?;
    let peer_route = routes
        .iter()
        .find(|route| route.contains(" via "))
        .cloned()
        .unwrap_or_default();
    let subnet = peer_route.split(' ').next().unwrap_or_default().to_owned();
    one.run(&["ip", "route", "del", &subnet])?;
    lab.etcd()[0].start()?;

    wait_until("route after etcd is back", DEADLINE, || {
        one.routes().is_ok_and(|now| now.contains(&peer_route))
    })
    .map_err(|error| error.doing(one.routed_log()))?;
    pod.delete()
}

#[test]
fn damaged_subnet_file_is_restored_from_the_registry() -> Result {
    const SUBNETS_FILE: &str = "/var/lib/flatland/flatland/subnets.json";
    let lab = raise(2)?;
    let one = lab.node(1);
    let (list, routes) = (one.read(SUBNETS_FILE)?, one.routes()?);
    one.end_routed(Signal::SIGKILL)?;
    one.write(SUBNETS_FILE, "{")?;

    one.spawn_routed(&[])?;
    wait_until("list written anew", DEADLINE, || {
        one.read(SUBNETS_FILE).is_ok_and(|now| now == list) || !one.routed_runs()
    })?;

    assert!(one.routed_runs(), "{}", one.routed_log());
    wait_until("the same routes as before", DEADLINE, || {
        one.routes().is_ok_and(|now| now == routes)
    })
}

#[test]
fn pods_without_any_process_of_ours_reach_each_other() -> Result {
    let lab = raise(2)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    for node in lab.nodes() {
        node.end_routed(Signal::SIGKILL)?;
    }
    lab.etcd()[0].stop()?;

    reach(&a, &b)?;
    reach(&b, &a)
}

#[test]
fn conflist_is_installed_only_once_the_network_is_ready() -> Result {
    let lab = Lab::builder().nodes(1).start()?;
    let node = lab.node(1);
    lab.etcd()[0].stop()?;
    node.spawn_routed(&[])?;
    wait_until("log line about the missing etcd", DEADLINE, || {
        node.routed_log().contains("192.168.1.2")
    })?;
    assert!(!node.ready() && node.routed_runs());

    lab.etcd()[0].start()?;
    node.wait_ready()?;
    let installed = node.read("/etc/cni/net.d/10-flatland.conflist")?;
    assert!(installed.contains("\"nodeName\": \"n1\""), "{installed}");
    assert_eq!(
        node.run(&["cat", "/proc/sys/net/ipv4/ip_forward"])?.trim(),
        "1"
    );
    assert_eq!(
        node.run(&["cat", "/proc/sys/net/ipv6/conf/all/forwarding"])?
            .trim(),
        "1"
    );
    Ok(())
}

#[test]
fn upgrade_of_routed_loses_no_packet_and_changes_no_route() -> Result {
    const STATE_FILE: &str = "/run/flatland/flatland/routed.json";
    const SUBNETS_FILE: &str = "/var/lib/flatland/flatland/subnets.json";
    let lab = raise(2)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    let routes = one.routes()?;
    let monitor = one.spawn("monitor", None, &["ip", "-o", "monitor", "route"])?;
    let mut traffic = Vec::new();
    for address in b.addresses() {
        let ping = ["ping", "-i", "0.01", &address.to_string()];
        traffic.push(one.spawn(&format!("ping {address}"), Some(a.netns()), &ping)?);
    }

    for node in [one, two] {
        node.end_routed(Signal::SIGTERM)?;
        // State files as older versions wrote them, with keys missing, and as newer ones may, with
        // unknown keys.
        let memory = node.read(STATE_FILE)?;
        let cluster = memory.split(',').next().unwrap_or_default();
        node.write(STATE_FILE, format!("{cluster},\"later\":[1]}}"))?;
        let list = node.read(SUBNETS_FILE)?;
        node.write(SUBNETS_FILE, list.replacen('{', "{\"later\": {},", 1))?;
        let ready = node.count_logged("is ready for pods");
        node.start_routed()?;
        wait_until("new routed", DEADLINE, || {
            node.count_logged("is ready for pods") > ready
        })
        .map_err(|error| error.doing(node.routed_log()))?;
    }
    lab.wait_routes()?;

    for ping in traffic {
        ping.signal(Signal::SIGINT)?;
        wait_until("end of ping", DEADLINE, || !ping.running())?;
        let log = ping.log();
        let lost = lost(&log).unwrap_or(u32::MAX);
        // The last one may still be under way.
        assert!(lost <= 1, "{log}");
    }
    assert_eq!(one.routes()?, routes);
    let ours = |line: &&str| line.contains("proto 70");
    assert_eq!(monitor.log().lines().find(ours), None);
    assert!(
        !one.routed_log().contains("is ignored"),
        "{}",
        one.routed_log()
    );
    Ok(())
}

/// The number of packets without an answer in ping's summary.
fn lost(log: &str) -> Option<u32> {
    let words = log
        .lines()
        .find(|line| line.contains("packets transmitted"))?;
    let mut counts = words
        .split(", ")
        .filter_map(|part| part.split(' ').next()?.parse().ok());
    let sent: u32 = counts.next()?;
    sent.checked_sub(counts.next()?)
}

#[test]
fn routed_killed_repeatedly_keeps_routes_and_claims() -> Result {
    let lab = raise(2)?;
    let one = lab.node(1);
    let (routes, owned) = (one.routes()?, one.owned_subnets()?);
    for _ in 0..3 {
        one.end_routed(Signal::SIGKILL)?;
        one.start_routed()?;
        assert_eq!(one.routes()?, routes);
    }
    wait_until("the same claims", DEADLINE, || {
        let keys = lab.etcd()[0].keys("/flatland/flatland/subnets/");
        keys.is_ok_and(|keys| keys.len() == 4)
    })?;
    assert_eq!(one.owned_subnets()?, owned);
    Ok(())
}

#[test]
fn routed_frozen_beyond_its_presence_catches_up() -> Result {
    let mut lab = raise_with(3, &["--presence-ttl=2"])?;
    let one = lab.node(1);
    let before = one.routes()?;
    one.signal_routed(Signal::SIGSTOP)?;
    wait_until("end of presence", DEADLINE, || !is_present(&lab, one))?;
    add_and_delete_pods(one, lab.node(2).add_pod("old")?)?;
    change(&mut lab)?;
    let one = lab.node(1);
    assert_eq!(one.routes()?, before);

    one.signal_routed(Signal::SIGCONT)?;
    wait_changed(&lab)
}

#[test]
fn routed_started_without_network_keeps_existing_routes() -> Result {
    let mut lab = raise(3)?;
    let one = lab.node(1);
    let before = routes(one)?;
    one.end_routed(Signal::SIGKILL)?;
    lab.unplug(one)?;
    one.spawn_routed(&[])?;
    wait_logged(one, OUTAGE_LOG, 1)?;
    assert_eq!(routes(one)?, before);
    let (a, b) = (one.add_pod("a1")?, one.add_pod("b1")?);
    reach(&a, &b)?;
    a.delete()?;
    b.delete()?;
    change(&mut lab)?;
    assert_eq!(routes(lab.node(1))?, before);

    lab.plug(lab.node(1))?;
    wait_changed(&lab)?;
    assert_logged_once(lab.node(1));
    Ok(())
}
