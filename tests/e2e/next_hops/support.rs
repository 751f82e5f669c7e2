//! Helpers of the next hop tests.

use std::net::IpAddr;

use lab::probe::{LISTENING, ProbeAnswer};
use lab::{DEADLINE, Lab, Node, Pod, Result, wait_until};

/// The probe program, as installed on nodes.
const LAB: &str = "/opt/flatland/lab";

/// The node's route to a peer's subnet of the first pod CIDR, as the kernel shows it.
pub(crate) fn route_to(node: &Node, peer: &Node) -> Result<Option<String>> {
    let subnet = peer.owned_subnets()?.into_iter().next().unwrap_or_default();
    let mut routes = node.routes()?.into_iter();
    Ok(routes.find(|route| route.starts_with(&format!("{subnet} via "))))
}

/// Waits until the node's route to a peer is via `way`, such as `192.168.1.12 dev eth0`.
pub(crate) fn wait_route(node: &Node, peer: &Node, way: &str) -> Result {
    let text = format!(" via {way}");
    wait_until(format!("route of {}{text}", node.name()), DEADLINE, || {
        route_to(node, peer).is_ok_and(|route| route.is_some_and(|it| it.contains(&text)))
    })
    .map_err(|error| error.doing(node.routed_log()))
}

/// Runs a command in a pod or on a node.
pub(crate) type Run<'a> = dyn Fn(&[&str]) -> Result<String> + 'a;

/// Queries `to` by TCP, UDP and ping, and fails unless all are answered and the source address is
/// one of `own`.
pub(crate) fn reaches(from: &Run<'_>, own: &[IpAddr], to: IpAddr) -> Result {
    let answers = from(&[LAB, "query", &to.to_string()])?;
    let answers: Vec<ProbeAnswer> = serde_json::from_str(&answers).expect("answers are JSON");
    let complaints: Vec<_> = answers.iter().filter_map(|it| it.complaint(own)).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    Ok(())
}

/// Starts a probe server in a pod.
pub(crate) fn serve(pod: &Pod<'_>) -> Result<lab::Process> {
    let server = pod.spawn("serve", &[LAB, "serve"])?;
    wait_until("server that listens", DEADLINE, || {
        server.log().contains(LISTENING)
    })?;
    Ok(server)
}

/// The addresses that a node advertises to its peers.
pub(crate) fn advertised(lab: &Lab, node: &str) -> Result<Vec<String>> {
    let key = format!("/flatland/flatland/nodes/{node}");
    let text = lab.etcd()[0].ctl(&["get", "--print-value-only", &key])?;
    let record: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let addresses = record["addresses"].as_array().into_iter().flatten();
    Ok(addresses
        .filter_map(|it| Some(it.as_str()?.to_owned()))
        .collect())
}

/// A second cable of a node, to a switch that is another network.
pub(crate) fn plug_in(lab: &Lab, node: &Node, address: &str) -> Result {
    plug_in_to("second", lab, node, address)
}

/// As [`plug_in`], to another switch.
pub(crate) fn plug_in_to(switch: &str, lab: &Lab, node: &Node, address: &str) -> Result {
    let cable = format!("{}b", node.name());
    for words in [
        &[
            "link", "add", "eth1", "type", "veth", "peer", "name", &cable, "netns", "1",
        ][..],
        &["address", "add", address, "dev", "eth1"],
        &["link", "set", "eth1", "up"],
    ] {
        node.run(&[&["ip"], words].concat())?;
    }
    lab.run(&["ip", "link", "set", &cable, "master", switch, "up"])
        .map(drop)
}
