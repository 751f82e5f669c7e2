//! portmap: a port of the node that leads to a pod.

use std::net::{IpAddr, Ipv4Addr};

use lab::{Node, Place, Result};
use serde_json::{Value, json};

use crate::support::{Chained, cluster, plain};

/// Where the pod listens, and the node for it.
const INSIDE: u16 = 7070;
const OUTSIDE: u16 = 8080;

fn host_ports() -> Value {
    let mapping =
        |protocol| json!({ "hostPort": OUTSIDE, "containerPort": INSIDE, "protocol": protocol });
    json!({ "portMappings": [mapping("tcp"), mapping("udp")] })
}

/// portmap's chains for pods: it leaves others, empty.
fn pods_chains(node: &Node) -> Result<String> {
    let rules = node.run(&["nft", "list", "ruleset"])?;
    let of_pods = |line: &&str| line.contains("CNI-DN-");
    Ok(rules.lines().filter(of_pods).collect())
}

#[test]
fn a_host_port_leads_to_the_pod_from_everywhere_and_others_come_as_themselves() -> Result {
    let lab = cluster(2)?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let stranger = lab.add_stranger("outside", 200)?;
    Chained::add(one, "first", &plain())?.delete()?;
    let before = one.traces()?;
    let a = Chained::add(one, "a", &host_ports())?;
    let [near, far] = [
        Chained::add(one, "near", &plain())?,
        Chained::add(two, "far", &plain())?,
    ];
    let _server = Place::from(&a.pod).serve(INSIDE)?;
    let (node, port) = (one.addresses(), OUTSIDE);

    let seen = |place: Place<'_>| place.seen_by(node, port);
    assert_eq!(seen(Place::from(&stranger))?, stranger.addresses());
    assert_eq!(seen(Place::from(&**two))?, two.addresses());
    assert_eq!(seen(Place::from(&far.pod))?, far.addresses());
    assert_eq!(seen(Place::from(&near.pod))?, near.addresses());
    assert_eq!(seen(Place::from(&**one))?, node);
    // Only these would get the answer from somebody they did not ask, so portmap masquerades them.
    assert_eq!(seen(Place::from(&a.pod))?, node);
    let localhost = [IpAddr::V4(Ipv4Addr::LOCALHOST)];
    assert_eq!(Place::from(&**one).seen_by(&localhost, port)?, node[..1]);

    a.check_first()?;
    a.delete()?;
    let answers = Place::from(&stranger).ask(node, port)?;
    assert!(
        answers.iter().all(|answer| answer.tcp.is_err()),
        "{answers:?}"
    );
    assert_eq!(pods_chains(one)?, "");
    near.delete()?;
    assert_eq!(one.traces()?, before);
    Ok(())
}
