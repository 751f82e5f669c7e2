//! IPv4 pods on an underlay with IPv6 only.

use std::net::IpAddr;

use lab::{DEADLINE, Families, Lab, Node, Result, wait_until};

use crate::support::{reaches, serve, wait_route};

const ETCD: &str = "http://[fd00:192:168:1::2]:2379";

/// Two nodes without IPv4, an etcd that they reach by IPv6, and IPv4 pods.
fn raise() -> Result<Lab> {
    let mut lab = Lab::builder().nodes(2).families(Families::V4).start()?;
    let etcd = &lab.etcd()[0];
    etcd.stop()?;
    etcd.start_with(&[
        &format!("--listen-client-urls={ETCD},http://127.0.0.1:2379"),
        &format!("--advertise-client-urls={ETCD}"),
    ])?;
    etcd.wait()?;
    let mut conflist = lab.conflist();
    conflist["plugins"][0]["ipam"]["etcd"]["endpoints"] = serde_json::json!([ETCD]);
    for number in 1..=2 {
        let node = lab.node_mut(number);
        node.set_conflist(&conflist)?;
        node.run(&["ip", "-4", "address", "flush", "dev", "eth0"])?;
    }
    lab.start_routed()?;
    Ok(lab)
}

/// The IPv4 address of its own subnet that the node has configured.
fn own_address(node: &Node) -> Result<IpAddr> {
    let owned = node.owned_subnets()?;
    let base = owned[0].strip_suffix(".0/24").unwrap_or_default();
    Ok(format!("{base}.1").parse().expect("an address"))
}

#[test]
fn ipv4_pods_on_an_ipv6_underlay_reach_each_other() -> Result {
    let lab = raise()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    wait_route(one, two, "inet6 fd00:192:168:1::12 dev eth0")?;
    wait_route(two, one, "inet6 fd00:192:168:1::11 dev eth0")?;
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    let _servers = (serve(&a)?, serve(&b)?);

    reaches(&|words| a.run(words), &a.addresses(), b.addresses()[0])?;
    reaches(&|words| b.run(words), &b.addresses(), a.addresses()[0])?;

    // The nodes have no IPv4 address except one of their own subnet.
    let own = [own_address(one)?, own_address(two)?];
    wait_until("address of the node", DEADLINE, || {
        let shown = two.run(&["ip", "-4", "address", "show", "dev", "lo"]);
        shown.is_ok_and(|shown| shown.contains(&format!("{}/32", own[1])))
    })?;
    // It is known as the node's own.
    let doctor = two.routed_command(&["doctor"])?;
    let sound = "ok       overlapping CIDRs: none";
    assert!(doctor.stdout.contains(sound), "{}", doctor.stdout);
    reaches(&|words| one.run(words), &own[..1], a.addresses()[0])?;
    reaches(&|words| one.run(words), &own[..1], b.addresses()[0])?;
    a.run(&["ping", "-c1", "-W5", &own[0].to_string()])?;
    a.run(&["ping", "-c1", "-W5", &own[1].to_string()])?;

    // The address hinders neither further claims nor a restart.
    let _more = one.add_pod("c")?;
    one.end_routed(nix::sys::signal::Signal::SIGTERM)?;
    one.start_routed()?;
    reaches(&|words| a.run(words), &a.addresses(), b.addresses()[0])
}

#[test]
fn node_that_gets_an_ipv4_address_frees_its_subnets_one() -> Result {
    let lab = raise()?;
    let (one, two) = (lab.node(1), lab.node(2));
    let own = format!("{}/32", own_address(one)?);
    let has = || {
        let shown = one.run(&["ip", "-4", "address", "show", "dev", "lo"]);
        shown.is_ok_and(|shown| shown.contains(&own))
    };
    wait_until("address of the node", DEADLINE, has)?;

    one.run(&["ip", "address", "add", "192.168.1.11/24", "dev", "eth0"])?;
    two.run(&["ip", "address", "add", "192.168.1.12/24", "dev", "eth0"])?;

    wait_until("end of the address", DEADLINE, || !has())?;
    wait_route(one, two, "192.168.1.12 dev eth0")
}
