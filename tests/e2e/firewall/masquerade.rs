//! Masquerading: the source address of pods inside and outside of the cluster.

use lab::{DEADLINE, Families, Machine, Node, Result, wait_until};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{configure, outside, raise, run, seen, serve, serve_in, table};

/// Gives a machine outside of the cluster routes to the node's pods.
fn route_back(machine: &Machine, node: &Node) -> Result {
    let [v4, v6] = node.addresses() else {
        return Ok(());
    };
    run(machine, &format!("ip route add 10.244.0.0/16 via {v4}"))?;
    run(machine, &format!("ip route add fd00:10:244::/56 via {v6}")).map(drop)
}

#[test]
fn pods_are_masqueraded_to_the_outside_only() -> Result {
    let lab = raise(2, Families::Dual, &json!({ "ipMasq": true }))?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (external, _server) = outside(&lab, 200, one)?;
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    let _servers = [serve(one)?, serve(two)?, serve_in(&b)?, serve_in(&a)?];
    let own = a.addresses();

    assert_eq!(seen(&a, external.addresses())?, one.addresses());
    assert_eq!(seen(&a, &b.addresses())?, own);
    assert_eq!(seen(&a, one.addresses())?, own);
    assert_eq!(seen(&a, two.addresses())?, own);
    assert_eq!(seen(&b, &own)?, b.addresses());

    // Even if the outside has a route back to the pods.
    route_back(&external, one)?;
    assert_eq!(seen(&a, external.addresses())?, one.addresses());
    Ok(())
}

#[test]
fn pods_with_masquerading_off_keep_their_address_everywhere() -> Result {
    let lab = raise(1, Families::Dual, &json!({}))?;
    let node = lab.node(1);
    let (external, _server) = outside(&lab, 200, node)?;
    route_back(&external, node)?;
    let a = node.add_pod("a")?;

    assert_eq!(seen(&a, external.addresses())?, a.addresses());
    assert!(!table(node).contains("masquerade"), "{}", table(node));
    Ok(())
}

#[test]
fn pods_to_listed_prefixes_are_not_masqueraded() -> Result {
    let section = json!({
        "ipMasq": true,
        "nonMasqueradeCIDRs": ["192.168.1.200/31", "fd00:192:168:1::200/128", "10.0.0.0/8"],
    });
    let lab = raise(1, Families::Dual, &section)?;
    let node = lab.node(1);
    let (named, _server) = outside(&lab, 200, node)?;
    let (other, _other_server) = outside(&lab, 202, node)?;
    route_back(&named, node)?;
    let a = node.add_pod("a")?;

    assert_eq!(seen(&a, named.addresses())?, a.addresses());
    assert_eq!(seen(&a, other.addresses())?, node.addresses());
    Ok(())
}

#[test]
fn pods_to_joined_nodes_are_not_masqueraded_to_removed_are() -> Result {
    let section = json!({ "ipMasq": true });
    let mut lab = raise(1, Families::Dual, &section)?;
    lab.add_node()?;
    configure(&mut lab, 2, &section)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let _server = serve(two)?;
    let a = one.add_pod("a")?;
    assert_eq!(seen(&a, two.addresses())?, one.addresses());
    let before = table(one);

    two.start_routed()?;
    lab.wait_routes()?;
    wait_until("addresses of n2 in the set", DEADLINE, || {
        table(one) != before
    })?;
    assert_eq!(seen(&a, two.addresses())?, a.addresses());

    two.end_routed(Signal::SIGTERM)?;
    lab.etcd()[0].ctl(&["del", "/flatland/flatland/nodes/n2"])?;
    wait_until("set without n2", DEADLINE, || table(one) == before)?;
    assert_eq!(seen(&a, two.addresses())?, one.addresses());
    Ok(())
}

#[test]
fn node_addresses_stay_in_the_set_during_an_outage() -> Result {
    let lab = raise(2, Families::V4, &json!({ "ipMasq": true }))?;
    let one = lab.node(1);
    let both = |table: &str| {
        let nodes = lab.nodes().iter();
        nodes
            .map(|node| node.addresses()[0].to_string())
            .all(|address| table.contains(&address))
    };
    wait_until("both nodes in the set", DEADLINE, || both(&table(one)))?;
    let (before, handles) = (table(one), run(one, "nft -a list ruleset")?);
    lab.etcd()[0].stop()?;

    one.end_routed(Signal::SIGKILL)?;
    one.spawn_routed(&[])?;
    wait_until("log line about the table", DEADLINE, || {
        one.routed_log().matches("table inet flatland").count() == 2
    })?;

    assert_eq!(table(one), before);
    assert_eq!(run(one, "nft -a list ruleset")?, handles, "made anew");
    Ok(())
}
