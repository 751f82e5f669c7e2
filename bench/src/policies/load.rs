//! Clusters that exist only in the API server and, for the pods of the node, in its ledger.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use lab::policy::{PodObject, PolicyCluster};
use lab::{Node, Result};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::{MOVING, NAMESPACE, PEERS};
use crate::to_error;

/// The ledger of the lab's network.
const LEDGER: &str = "/run/flatland/flatland/addresses";

/// How much there is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoadSize {
    /// Pods of the node, all selected by all policies.
    pub(crate) local: u8,
    pub(crate) policies: u16,
    /// Peers, each allowed by all policies.
    pub(crate) peers: u16,
}

/// A node with such a load; `flatland-policy` does not run yet.
pub(crate) fn loaded(size: LoadSize) -> Result<PolicyCluster> {
    let cluster = PolicyCluster::without_policy_program(1)?;
    // It would take the ledger's entries for what an unclean end left behind.
    cluster.node(1).end_routed(Signal::SIGTERM)?;
    cluster.namespace(NAMESPACE, &[])?;
    cluster.namespace(PEERS, &[("team", "a")])?;
    cluster.namespace(MOVING, &[("team", "a")])?;
    for number in 0..size.peers {
        put_peer(&cluster, PEERS, &format!("peer-{number}"), number, "peer")?;
    }
    for number in 0..10 {
        put_peer(
            &cluster,
            MOVING,
            &format!("peer-{number}"),
            60_000 + number,
            "peer",
        )?;
    }
    for number in 0..size.policies {
        cluster.policy(NAMESPACE, &format!("policy-{number}"), &spec(number))?;
    }
    for number in 0..size.local {
        put_local(&cluster, number)?;
    }
    Ok(cluster)
}

/// Creates or replaces the object of a peer.
pub(crate) fn put_peer(
    cluster: &PolicyCluster,
    namespace: &str,
    name: &str,
    number: u16,
    app: &str,
) -> Result {
    let [high, low] = number.to_be_bytes();
    let address = IpAddr::from(Ipv4Addr::new(10, 200, high, low));
    let pod = PodObject::new(namespace, name, &[("app", app)]);
    cluster.put(&pod.running("elsewhere", &[address]))
}

/// A policy for all pods of the namespace. Each selects its peers in words of its own, so that each
/// has a set of its own: the most that so many policies can cost.
pub(crate) fn spec(number: u16) -> Value {
    let own = format!("x{number}");
    let either = |key: &str, value: &str| json!({ "matchExpressions": [{ "key": key, "operator": "In", "values": [value, own] }] });
    json!({
        "podSelector": {},
        "ingress": [{
            "from": [{ "namespaceSelector": either("team", "a"), "podSelector": either("app", "peer") }],
            "ports": [{ "port": 8080 }],
        }],
    })
}

/// A pod of the node: its object, and its address in the ledger as ADD writes it.
fn put_local(cluster: &PolicyCluster, number: u8) -> Result {
    let (name, node) = (format!("pod-{number}"), cluster.node(1));
    let address = Ipv4Addr::new(10, 244, 1, 100 + number);
    let pod = PodObject::new(NAMESPACE, &name, &[]);
    cluster.put(&pod.running(node.name(), &[address.into()]))?;
    hold(node, address, &name)
}

fn hold(node: &Node, address: Ipv4Addr, name: &str) -> Result {
    let entry = json!({
        "containerId": name, "interface": "eth0", "subnet": "10.244.1.0/24", "since": 1,
        "podNamespace": NAMESPACE, "podName": name, "podUid": format!("uid-{NAMESPACE}-{name}"),
    });
    fs::create_dir_all(node.path(LEDGER)).map_err(to_error)?;
    // Renamed into place: whoever watches the folder reads no half of a file.
    let new = node.path(format!("{LEDGER}/.new"));
    fs::write(&new, format!("{entry}\n")).map_err(to_error)?;
    fs::rename(&new, node.path(format!("{LEDGER}/{address}"))).map_err(to_error)
}
