//! The kernel's routes to subnets: exactly the desired ones; routes of other programs stay.

use std::time::{Duration, Instant};

use lab::{DEADLINE, Families, Lab, Node, Result, wait_until};
use nix::sys::signal::Signal;

fn raise(nodes: u8) -> Result<Lab> {
    let lab = Lab::builder().nodes(nodes).families(Families::V4).start()?;
    lab.start_routed()?;
    lab.wait_routes()?;
    Ok(lab)
}

fn via(node: &Node, peer: &Node) -> Result<Option<String>> {
    let hop = format!(" via {} ", peer.addresses()[0]);
    Ok(node
        .routes()?
        .into_iter()
        .find(|route| route.contains(&hop)))
}

fn destination(route: &str) -> &str {
    route.split(' ').next().unwrap_or_default()
}

#[test]
fn peer_subnet_is_routed_via_peer_and_own_is_unreachable() -> Result {
    let lab = raise(2)?;
    let claimed = lab.etcd()[0].keys("/flatland/flatland/subnets/")?;
    let [one, two] = [lab.node(1), lab.node(2)];

    let route = via(one, two)?.unwrap_or_default();
    assert!(route.ends_with("dev eth0"), "{route}");
    let key = |subnet: &str| format!("/flatland/flatland/subnets/{}", subnet.replace('/', "-"));
    assert!(
        claimed.contains(&key(destination(&route))),
        "{route} {claimed:?}"
    );
    let own = two
        .routes()?
        .into_iter()
        .find(|route| route.starts_with("unreachable "));
    assert_eq!(
        own.as_deref().and_then(|own| own.split(' ').nth(1)),
        Some(destination(&route))
    );
    Ok(())
}

#[test]
fn deleted_or_changed_route_is_restored() -> Result {
    let lab = raise(2)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let route = via(one, two)?.unwrap_or_default();
    let subnet = destination(&route).to_owned();

    one.run(&["ip", "route", "del", &subnet])?;
    wait_until("route after it was deleted", DEADLINE, || {
        via(one, two).is_ok_and(|now| now.as_ref() == Some(&route))
    })?;

    one.run(&[
        "ip",
        "route",
        "replace",
        &subnet,
        "via",
        "192.168.1.1",
        "proto",
        "70",
    ])?;
    wait_until("route after it was changed", DEADLINE, || {
        via(one, two).is_ok_and(|now| now.as_ref() == Some(&route))
    })
}

#[test]
fn routes_of_a_flapping_link_are_restored() -> Result {
    let lab = raise(2)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    one.run(&["ip", "link", "set", "eth0", "down"])?;
    wait_until("routes gone with the link", DEADLINE, || {
        via(one, two).is_ok_and(|route| route.is_none())
    })?;

    one.run(&["ip", "link", "set", "eth0", "up"])?;
    wait_until("route after the link is back", DEADLINE, || {
        via(one, two).is_ok_and(|route| route.is_some())
    })
}

#[test]
fn foreign_route_is_never_changed() -> Result {
    let lab = raise(2)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let ours = via(one, two)?.unwrap_or_default();
    let foreign = || one.run(&["ip", "route", "show", "proto", "static"]);
    // One far from ours, and one inside the pod CIDR in an unclaimed subnet.
    one.run(&[
        "ip",
        "route",
        "add",
        "172.20.0.0/16",
        "via",
        "192.168.1.1",
        "proto",
        "static",
    ])?;
    one.run(&[
        "ip",
        "route",
        "add",
        "10.244.77.128/25",
        "via",
        "192.168.1.1",
        "proto",
        "static",
    ])?;
    let before = foreign()?;
    assert_eq!(before.lines().count(), 2);

    one.end_routed(Signal::SIGKILL)?;
    one.run(&["ip", "route", "del", destination(&ours)])?;
    one.start_routed()?;
    wait_until("our route", DEADLINE, || {
        via(one, two).is_ok_and(|route| route.is_some())
    })?;
    assert_eq!(foreign()?, before, "after a restart");

    // A present node would claim its subnet again at once.
    two.end_routed(Signal::SIGTERM)?;
    lab.etcd()[0].ctl(&[
        "del",
        "--prefix",
        &format!(
            "/flatland/flatland/subnets/{}",
            destination(&ours).replace('/', "-")
        ),
    ])?;
    wait_until("withdrawal", DEADLINE, || {
        via(one, two).is_ok_and(|route| route.is_none())
    })?;
    assert_eq!(foreign()?, before, "after a withdrawal");

    one.end_routed(Signal::SIGTERM)?;
    assert_eq!(foreign()?, before, "after the end of routed");
    Ok(())
}

#[test]
fn foreign_route_in_place_of_ours_is_logged_until_it_goes() -> Result {
    let lab = raise(2)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let ours = via(one, two)?.unwrap_or_default();
    let subnet = destination(&ours);
    let ip_route = |verb, more: &[&str]| {
        one.run(&[&["ip", "route", verb, subnet][..], more].concat())
            .map(drop)
    };
    one.end_routed(Signal::SIGKILL)?;
    ip_route("del", &[])?;
    ip_route("add", &["via", "192.168.1.1", "proto", "static"])?;
    let there = one.run(&["ip", "route", "show", subnet])?;

    one.start_routed()?;
    wait_until("log line about the foreign route", DEADLINE, || {
        let is_logged = |line: &str| line.contains(subnet) && line.contains("via 192.168.1.1 ");
        one.routed_log().lines().any(is_logged)
    })
    .map_err(|error| error.doing(one.routed_log()))?;
    assert_eq!(one.run(&["ip", "route", "show", subnet])?, there);

    ip_route("del", &[])?;
    wait_until("our route in its place", DEADLINE, || {
        via(one, two).is_ok_and(|route| route.as_ref() == Some(&ours))
    })
}

#[test]
fn node_that_is_itself_a_pod_keeps_its_gateway_route() -> Result {
    let lab = Lab::builder().no_default_route().start()?;
    let node = lab.node(1);
    // As the plugin configures them in a pod.
    for line in [
        "-4 route add 169.254.1.1 dev eth0 proto 70",
        "-4 route add default via 169.254.1.1 dev eth0 proto 70",
        "-6 route add default via fe80::1 dev eth0 proto 70",
    ] {
        let words: Vec<_> = ["ip"].into_iter().chain(line.split(' ')).collect();
        node.run(&words)?;
    }
    let given = node.routes()?;
    assert_eq!(given.len(), 3);

    // A node is ready only after the routes of unclaimed subnets are withdrawn.
    node.start_routed()?;
    let all = node.routes()?;
    assert!(given.iter().all(|route| all.contains(route)), "{all:?}");

    node.end_routed(Signal::SIGTERM)?;
    node.routed_command(&["uninstall"])?.success()?;
    assert_eq!(node.routes()?, given);
    Ok(())
}

#[test]
fn overwritten_node_record_is_restored() -> Result {
    let lab = raise(2)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let ours = via(one, two)?;
    let key = "/flatland/flatland/nodes/n2";
    let right = lab.etcd()[0].ctl(&["get", key])?;
    let wrong = right.replace("192.168.1.12", "192.168.1.77");
    assert_ne!(right, wrong);

    lab.etcd()[0].ctl(&["put", key, wrong.lines().nth(1).unwrap_or_default()])?;

    wait_until("the right record", DEADLINE, || {
        lab.etcd()[0]
            .ctl(&["get", key])
            .is_ok_and(|now| now == right)
    })?;
    wait_until("the way to where the node is", DEADLINE, || {
        via(one, two).is_ok_and(|route| route == ours)
    })
}

#[test]
fn route_of_a_peer_forgotten_while_off_is_pruned_at_start() -> Result {
    let lab = raise(3)?;
    let [one, two, three] = [lab.node(1), lab.node(2), lab.node(3)];
    let (left, stays) = (via(one, two)?.unwrap_or_default(), via(one, three)?);
    one.end_routed(Signal::SIGTERM)?;
    two.end_routed(Signal::SIGTERM)?;
    assert_eq!(
        via(one, two)?.as_ref(),
        Some(&left),
        "routes stay when routed stops"
    );

    let key = format!(
        "/flatland/flatland/subnets/{}",
        destination(&left).replace('/', "-")
    );
    lab.etcd()[0].ctl(&["del", &key])?;
    one.start_routed()?;

    wait_until("pruning", DEADLINE, || {
        via(one, two).is_ok_and(|route| route.is_none())
    })?;
    assert_eq!(via(one, three)?, stays);
    Ok(())
}

#[test]
fn route_of_a_released_claim_goes_within_a_second() -> Result {
    let lab = raise(2)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    two.end_routed(Signal::SIGTERM)?;
    let route = via(one, two)?.unwrap_or_default();
    let key = format!(
        "/flatland/flatland/subnets/{}",
        destination(&route).replace('/', "-")
    );

    let start = Instant::now();
    lab.etcd()[0].ctl(&["del", &key])?;
    wait_until("withdrawal", DEADLINE, || {
        via(one, two).is_ok_and(|route| route.is_none())
    })?;

    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    Ok(())
}

#[test]
fn route_of_a_pod_is_not_changed_by_routed() -> Result {
    let lab = raise(1)?;
    let node = lab.node(1);
    let pod = node.add_pod("a")?;
    let address = pod.addresses()[0].to_string();
    let before = node.run(&["ip", "route", "show", &address])?;
    let own = || -> Result<Option<String>> {
        let mut routes = node.routes()?.into_iter();
        Ok(routes.find(|route| route.starts_with("unreachable")))
    };
    let subnet = own()?.unwrap_or_default();

    node.end_routed(Signal::SIGKILL)?;
    let words: Vec<&str> = subnet.split(' ').collect();
    node.run(&[&["ip", "route", "del"][..], &words].concat())?;
    node.start_routed()?;

    wait_until("route of the own subnet", DEADLINE, || {
        own().is_ok_and(|now| now.as_ref() == Some(&subnet))
    })?;
    assert_eq!(node.run(&["ip", "route", "show", &address])?, before);
    node.run(&["ping", "-c1", "-W2", &address]).map(drop)
}
