//! Under which address pods are seen.

use lab::{DEADLINE, Families, Machine, Node, Result, wait_until};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{configure, outside, raise, run, seen, serve, serve_in, table};

/// Lets somebody outside answer pods of that node.
fn route_back(machine: &Machine, node: &Node) -> Result {
    let [v4, v6] = node.addresses() else {
        return Ok(());
    };
    run(machine, &format!("ip route add 10.244.0.0/16 via {v4}"))?;
    run(machine, &format!("ip route add fd00:10:244::/56 via {v6}")).map(drop)
}

#[test]
fn pods_reach_the_outside_as_their_node_and_the_cluster_as_themselves() -> Result {
    let lab = raise(2, Families::Dual, &json!({ "ipMasq": true }))?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (stranger, _server) = outside(&lab, 200, one)?;
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    let _servers = [serve(one)?, serve(two)?, serve_in(&b)?, serve_in(&a)?];
    let own = a.addresses();

    assert_eq!(seen(&a, stranger.addresses())?, one.addresses());
    assert_eq!(seen(&a, &b.addresses())?, own);
    assert_eq!(seen(&a, one.addresses())?, own);
    assert_eq!(seen(&a, two.addresses())?, own);
    assert_eq!(seen(&b, &own)?, b.addresses());

    // Also where it could be answered otherwise.
    route_back(&stranger, one)?;
    assert_eq!(seen(&a, stranger.addresses())?, one.addresses());
    Ok(())
}

#[test]
fn without_masquerading_pods_are_themselves_everywhere() -> Result {
    let lab = raise(1, Families::Dual, &json!({}))?;
    let node = lab.node(1);
    let (stranger, _server) = outside(&lab, 200, node)?;
    route_back(&stranger, node)?;
    let a = node.add_pod("a")?;

    assert_eq!(seen(&a, stranger.addresses())?, a.addresses());
    assert!(!table(node).contains("masquerade"), "{}", table(node));
    Ok(())
}

#[test]
fn pods_are_themselves_in_the_prefixes_that_are_named() -> Result {
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
fn pods_are_themselves_to_nodes_that_join_and_masqueraded_to_what_was_a_node() -> Result {
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
fn nodes_stay_nodes_while_the_registry_is_away() -> Result {
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
    wait_until("word of the table", DEADLINE, || {
        one.routed_log().matches("table inet flatland").count() == 2
    })?;

    assert_eq!(table(one), before);
    assert_eq!(run(one, "nft -a list ruleset")?, handles, "made anew");
    Ok(())
}
