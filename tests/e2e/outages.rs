//! What keeps working when something else does not.

use lab::{DEADLINE, Families, Lab, Pod, Result, wait_until};
use nix::sys::signal::Signal;

fn raise() -> Result<Lab> {
    let lab = Lab::builder().nodes(2).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    Ok(lab)
}

fn reach(one: &Pod<'_>, two: &Pod<'_>) -> Result {
    for address in two.addresses() {
        one.run(&["ping", "-c1", "-W2", &address.to_string()])?;
    }
    Ok(())
}

#[test]
fn a_node_that_lost_etcd_still_adds_and_deletes_pods_and_keeps_its_routes() -> Result {
    let lab = raise()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let old = two.add_pod("old")?;
    let routes = one.routes()?;
    lab.etcd()[0].stop()?;

    let new = one.add_pod("new")?;
    reach(&new, &old)?;
    reach(&old, &new)?;
    new.delete()?;
    old.delete()?;

    assert_eq!(one.routes()?, routes);
    assert!(one.routed_runs() && two.routed_runs());
    Ok(())
}

#[test]
fn routed_that_starts_without_etcd_keeps_the_routes_and_converges_once_etcd_is_back() -> Result {
    let lab = raise()?;
    let one = lab.node(1);
    let routes = one.routes()?;
    lab.etcd()[0].stop()?;
    one.end_routed(Signal::SIGKILL)?;
    one.spawn_routed(&[])?;
    wait_until("word of the missing etcd", DEADLINE, || {
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
fn routed_that_finds_its_list_of_subnets_damaged_has_it_from_the_registry() -> Result {
    const LIST: &str = "/var/lib/flatland/flatland/subnets.json";
    let lab = raise()?;
    let one = lab.node(1);
    let (list, routes) = (one.read(LIST)?, one.routes()?);
    one.end_routed(Signal::SIGKILL)?;
    one.write(LIST, "{")?;

    one.spawn_routed(&[])?;
    wait_until("list written anew", DEADLINE, || {
        one.read(LIST).is_ok_and(|now| now == list) || !one.routed_runs()
    })?;

    assert!(one.routed_runs(), "{}", one.routed_log());
    wait_until("the same routes as before", DEADLINE, || {
        one.routes().is_ok_and(|now| now == routes)
    })
}

#[test]
fn pods_need_no_process_of_ours() -> Result {
    let lab = raise()?;
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
fn a_change_made_while_etcd_was_silent_arrives_when_it_speaks_again() -> Result {
    let mut lab = raise()?;
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
fn one_of_three_etcd_members_may_be_missing() -> Result {
    let lab = Lab::builder()
        .nodes(2)
        .etcd(3)
        .families(Families::V4)
        .start()?;
    lab.etcd()[0].stop()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    reach(&lab.node(1).add_pod("a")?, &lab.node(2).add_pod("b")?)
}

#[test]
fn the_conflist_appears_only_when_the_node_has_its_network() -> Result {
    let lab = Lab::builder().nodes(1).start()?;
    let node = lab.node(1);
    lab.etcd()[0].stop()?;
    node.spawn_routed(&[])?;
    wait_until("word of the missing etcd", DEADLINE, || {
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
