//! The portmap plugin: a host port of the node that leads to a pod.

use std::net::{IpAddr, Ipv4Addr};

use lab::{Node, Place, Result};
use serde_json::{Value, json};

use crate::support::{Chained, cluster, no_runtime_config};

/// The pod's port, and the node's host port for it.
const POD_PORT: u16 = 7070;
const HOST_PORT: u16 = 8080;

fn host_ports() -> Value {
    let mapping = |protocol| json!({ "hostPort": HOST_PORT, "containerPort": POD_PORT, "protocol": protocol });
    json!({ "portMappings": [mapping("tcp"), mapping("udp")] })
}

/// portmap's chains of single pods; it leaves general chains behind, empty.
fn pod_chains(node: &Node) -> Result<String> {
    let rules = node.run(&["nft", "list", "ruleset"])?;
    let of_pods = |line: &&str| line.contains("CNI-DN-");
    Ok(rules.lines().filter(of_pods).collect())
}

#[test]
fn host_port_leads_to_the_pod_and_keeps_client_addresses() -> Result {
    let lab = cluster(2)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let external = lab.add_external_machine("outside", 200)?;
    Chained::add(one, "first", &no_runtime_config())?.delete()?;
    let before = one.attachment_state()?;
    let a = Chained::add(one, "a", &host_ports())?;
    let [near, far] = [
        Chained::add(one, "near", &no_runtime_config())?,
        Chained::add(two, "far", &no_runtime_config())?,
    ];
    let _server = Place::from(&a.pod).serve(POD_PORT)?;
    let (node, port) = (one.addresses(), HOST_PORT);

    let seen = |place: Place<'_>| place.seen_by(node, port);
    assert_eq!(seen(Place::from(&external))?, external.addresses());
    assert_eq!(seen(Place::from(&**two))?, two.addresses());
    assert_eq!(seen(Place::from(&far.pod))?, far.addresses());
    assert_eq!(seen(Place::from(&near.pod))?, near.addresses());
    assert_eq!(seen(Place::from(&**one))?, node);
    // For these clients the answer would come from an address that they did not contact, so portmap
    // masquerades them.
    assert_eq!(seen(Place::from(&a.pod))?, node);
    let localhost = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
    assert_eq!(Place::from(&**one).seen_by(&localhost, port)?, node[..1]);

    a.check_first()?;
    a.delete()?;
    let answers = Place::from(&external).query(node, port)?;
    assert!(
        answers.iter().all(|answer| answer.tcp.is_err()),
        "{answers:?}"
    );
    assert_eq!(pod_chains(one)?, "");
    near.delete()?;
    assert_eq!(one.attachment_state()?, before);
    Ok(())
}
