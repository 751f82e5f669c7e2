//! Nodes on two network segments with a router between them (`crossSubnet`).

use lab::{DEADLINE, Families, Lab, Node, Result, wait_until};

use crate::support::{plug_in_to, reaches, route_to, serve, wait_route};

/// Nodes n1 and n2 on the switch, n3 on another one with the network 192.168.2.0/24. The router
/// between them is the lab's own namespace; it has no routes to pods yet.
fn raise(cross_subnet: Option<&str>) -> Result<Lab> {
    let mut lab = Lab::builder().nodes(3).families(Families::V4).start()?;
    for words in [
        &["ip", "link", "add", "second", "up", "type", "bridge"][..],
        &["ip", "address", "add", "192.168.2.1/24", "dev", "second"],
        &["ip", "link", "set", "n3", "master", "second"],
        &["sysctl", "-qw", "net.ipv4.ip_forward=1"],
    ] {
        lab.run(words)?;
    }
    let far = lab.node(3);
    far.run(&["ip", "-4", "address", "flush", "dev", "eth0"])?;
    far.run(&["ip", "-6", "address", "flush", "dev", "eth0"])?;
    far.run(&["ip", "address", "add", "192.168.2.13/24", "dev", "eth0"])?;
    far.run(&["ip", "route", "add", "default", "via", "192.168.2.1"])?;
    let etcd = lab.etcd()[0].machine();
    etcd.run(&["ip", "route", "add", "192.168.2.0/24", "via", "192.168.1.1"])?;
    if let Some(mode) = cross_subnet {
        let mut conflist = lab.conflist();
        conflist["plugins"][0]["crossSubnet"] = mode.into();
        for number in 1..=3 {
            lab.node_mut(number).set_conflist(&conflist)?;
        }
    }
    lab.start_routed()?;
    Ok(lab)
}

fn subnet(node: &Node) -> Result<String> {
    Ok(node.owned_subnets()?.into_iter().next().unwrap_or_default())
}

#[test]
fn peer_on_another_segment_is_logged_once_without_route() -> Result {
    let lab = raise(None)?;
    let (near, far) = (lab.node(1), lab.node(3));
    wait_route(near, lab.node(2), "192.168.1.12 dev eth0")?;
    near.wait_log("unreachable peer: n3")?;
    let log = near.routed_log();
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("unreachable peer"))
        .collect();
    let [line] = lines[..] else {
        panic!("{lines:?}");
    };
    // Both addresses, the subnet, and the cure.
    let subnet = subnet(far)?;
    for part in [
        "192.168.2.13",
        "192.168.1.0/24 (eth0)",
        &subnet,
        "crossSubnet",
    ] {
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(route_to(near, far)?, None);

    // A route on the node to the other segment changes nothing: crossSubnet is off.
    near.run(&["ip", "route", "add", "192.168.2.0/24", "via", "192.168.1.1"])?;
    near.run(&["ip", "address", "add", "172.30.0.1/24", "dev", "eth0"])?;
    wait_until("another pass", DEADLINE, || {
        near.count_logged("172.30.0.1") > 0
    })?;
    assert_eq!(route_to(near, far)?, None);
    assert_eq!(near.count_logged("unreachable peer: n3"), 1);
    Ok(())
}

#[test]
fn peer_behind_a_router_follows_the_nodes_route_with_gateway() -> Result {
    let lab = raise(Some("gateway"))?;
    let [near, beside, far] = [lab.node(1), lab.node(2), lab.node(3)];
    let addresses = ["192.168.1.11", "192.168.1.12", "192.168.2.13"];
    for (node, address) in lab.nodes().iter().zip(addresses) {
        lab.run(&["ip", "route", "add", &subnet(node)?, "via", address])?;
    }
    wait_route(near, beside, "192.168.1.12 dev eth0")?;
    wait_route(near, far, "192.168.1.1 dev eth0")?;
    wait_route(far, near, "192.168.2.1 dev eth0")?;
    let (a, b) = (near.add_pod("a")?, far.add_pod("b")?);
    let _server = serve(&b)?;
    reaches(&|words| a.run(words), &a.addresses(), b.addresses()[0])?;

    // Another gateway for that network, and then none.
    let to_far = |verb: &str, more: &[&str]| {
        near.run(&[&["ip", "route", verb, "192.168.2.0/24"][..], more].concat())
            .map(drop)
    };
    lab.run(&["ip", "address", "add", "192.168.1.254/24", "dev", "switch"])?;
    to_far("add", &["via", "192.168.1.254"])?;
    wait_route(near, far, "192.168.1.254 dev eth0")?;
    reaches(&|words| a.run(words), &a.addresses(), b.addresses()[0])?;
    near.run(&["ip", "route", "replace", "unreachable", "192.168.2.0/24"])?;
    wait_until("end of the route", DEADLINE, || {
        route_to(near, far).is_ok_and(|route| route.is_none())
    })?;
    near.wait_log("no route leads there")?;

    // A route with our own protocol number, or one to a pod, is not used as the way to a peer.
    near.run(&["ip", "route", "del", "unreachable", "192.168.2.0/24"])?;
    wait_route(near, far, "192.168.1.1 dev eth0")?;
    to_far("add", &["via", "192.168.1.12", "proto", "70"])?;
    wait_until("end of the route", DEADLINE, || {
        near.routes()
            .is_ok_and(|all| !all.iter().any(|it| it.starts_with("192.168.2.0/24")))
    })?;
    wait_route(near, far, "192.168.1.1 dev eth0")?;
    let pod = a.addresses()[0].to_string();
    to_far(
        "add",
        &["via", &pod, "dev", &host_interface(near, &pod)?, "onlink"],
    )?;
    wait_until("end of the route", DEADLINE, || {
        route_to(near, far).is_ok_and(|route| route.is_none())
    })
}

#[test]
fn multipath_route_to_a_segment_is_followed_to_a_live_hop() -> Result {
    let lab = raise(Some("gateway"))?;
    let (near, far) = (lab.node(1), lab.node(3));
    lab.run(&["ip", "link", "add", "third", "up", "type", "bridge"])?;
    lab.run(&["ip", "address", "add", "172.16.0.1/24", "dev", "third"])?;
    plug_in_to("third", &lab, near, "172.16.0.11/24")?;
    let words = "ip route add 192.168.2.0/24 nexthop via 192.168.1.1 dev eth0 \
                 nexthop via 172.16.0.1 dev eth1";
    near.run(&words.split_whitespace().collect::<Vec<_>>())?;
    wait_route(near, far, "192.168.1.1 dev eth0")?;

    // The first loses its carrier, gets it back, and goes down.
    lab.run(&["ip", "link", "set", "n1", "down"])?;
    wait_route(near, far, "172.16.0.1 dev eth1")?;
    lab.run(&["ip", "link", "set", "n1", "up"])?;
    wait_route(near, far, "192.168.1.1 dev eth0")?;
    near.run(&["ip", "link", "set", "eth0", "down"])?;
    wait_route(near, far, "172.16.0.1 dev eth1")
}

/// The host interface of a pod.
fn host_interface(node: &Node, pod: &str) -> Result<String> {
    let route = node.run(&["ip", "route", "show", pod])?;
    let mut words = route.split_whitespace().skip_while(|word| *word != "dev");
    Ok(words.nth(1).unwrap_or_default().to_owned())
}
