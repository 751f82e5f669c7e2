//! A lab whose nodes have Node objects in an API server: the end-to-end tests and the benchmarks use
//! it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use wire::netns::Netns;

use super::{ApiServer, real_node};
use crate::{DEADLINE, Error, Lab, Machine, Node, Result, wait_until};

/// The host part of the API server's address on the switch.
const API_HOST: u8 = 250;
const API_PORT: u16 = 6443;

/// Where a kubelet mounts the account of a pod.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const USER: &str = "system:serviceaccount:flatland:routed";
const TOKEN: &str = "token-1";

/// The manifest of this registry.
const MANIFEST: &str = include_str!("../../../conf/kubernetes/flatland.yaml");

/// A cluster: nodes, and the API server on a machine of its own.
#[derive(Debug)]
pub struct Cluster {
    /// The nodes.
    pub lab: Lab,
    /// Their API server.
    pub api: ApiServer,
    /// Holds the namespace of the API server.
    _machine: Machine,
}

impl Cluster {
    /// Boots nodes that have Node objects with pod CIDRs; `routed` does not run yet.
    pub fn boot(nodes: u8) -> Result<Self> {
        let cluster = Self::without_nodes(nodes)?;
        for number in 1..=usize::from(nodes) {
            cluster.register(number, &cidrs(number))?;
        }
        Ok(cluster)
    }

    /// As [`Cluster::boot`], and `routed` runs and has all routes.
    pub fn start(nodes: u8) -> Result<Self> {
        let cluster = Self::boot(nodes)?;
        cluster.lab.start_routed()?;
        cluster.lab.wait_routes()?;
        Ok(cluster)
    }

    /// Boots nodes without Node objects.
    pub fn without_nodes(nodes: u8) -> Result<Self> {
        let mut cluster = Self::beside(Lab::builder().nodes(nodes).etcd(0).start()?)?;
        for number in 1..=usize::from(nodes) {
            cluster.lab.node_mut(number).set_conflist(&conflist())?;
        }
        Ok(cluster)
    }

    /// An API server beside the nodes of `lab`, which keep their registry. They have accounts.
    pub fn beside(lab: Lab) -> Result<Self> {
        let machine = lab.add_external_machine("api", API_HOST)?;
        let netns = format!("/proc/{}/ns/net", machine.pid());
        let netns =
            Netns::open(Path::new(&netns)).map_err(|error| Error::new(error.to_string()))?;
        let address = Ipv4Addr::new(192, 168, 1, API_HOST);
        let api = ApiServer::start(netns, SocketAddr::new(address.into(), API_PORT))?;
        api.add_token(TOKEN, USER);
        grant(&api)?;
        for node in lab.nodes() {
            fs::create_dir_all(node.path(ACCOUNT))
                .map_err(|error| Error::new(error.to_string()))?;
            give_account(node, TOKEN, &api.ca()?)?;
        }
        Ok(Self {
            lab,
            api,
            _machine: machine,
        })
    }

    /// Node `number`, counted from 1.
    pub fn node(&self, number: usize) -> &Node {
        self.lab.node(number)
    }

    /// Creates or replaces the Node object of a node, as its kubelet and the controller manager do.
    pub fn register(&self, number: usize, pod_cidrs: &[String]) -> Result {
        self.put(&self.object(number, pod_cidrs)?)
    }

    /// The Node object of a node.
    pub fn object(&self, number: usize, pod_cidrs: &[String]) -> Result<Value> {
        let node = self.lab.node(number);
        let machine = node.read("/etc/machine-id")?;
        let cidrs: Vec<_> = pod_cidrs.iter().map(String::as_str).collect();
        Ok(real_node(
            node.name(),
            node.addresses(),
            &cidrs,
            machine.trim(),
        ))
    }

    /// Creates or replaces an object.
    pub fn put(&self, object: &Value) -> Result {
        self.api.put(object).map(drop)
    }

    /// The condition `FlatlandReady` of a node, as `STATUS MESSAGE`.
    pub fn condition(&self, node: &str) -> Option<String> {
        let object = self.api.get("nodes", "", node)?;
        let conditions = object["status"]["conditions"].as_array()?.clone();
        let condition = conditions.iter().find(|it| it["type"] == "FlatlandReady")?;
        let text = |key: &str| condition[key].as_str().map(str::to_owned);
        Some(format!("{} {}", text("status")?, text("message")?))
    }
}

/// The pod CIDRs of a node.
pub fn cidrs(number: usize) -> Vec<String> {
    vec![
        format!("10.244.{number}.0/24"),
        format!("fd00:10:244:0:{number}::/80"),
    ]
}

/// Gives `routed` the rights of the `ClusterRole` in the manifest, and no others.
fn grant(api: &ApiServer) -> Result {
    let invalid = |why: &dyn std::fmt::Display| Error::new(format!("the manifest: {why}"));
    for document in serde_yaml_ng::Deserializer::from_str(MANIFEST) {
        let object = Value::deserialize(document).map_err(|why| invalid(&why))?;
        if object["kind"] == "ClusterRole" {
            let rules: Vec<_> =
                serde_json::from_value(object["rules"].clone()).map_err(|why| invalid(&why))?;
            api.grant(USER, None, &rules);
            return Ok(());
        }
    }
    Err(invalid(&"it has no ClusterRole"))
}

/// Gives a node the token and the authority by which its `routed` speaks to the API server.
pub fn give_account(node: &Node, token: &str, ca: &str) -> Result {
    node.write(format!("{ACCOUNT}/token"), token)?;
    node.write(format!("{ACCOUNT}/ca.crt"), ca)
}

/// `HOST:PORT` of the API server.
pub fn server() -> String {
    format!("192.168.1.{API_HOST}:{API_PORT}")
}

/// The user that [`Cluster`]'s nodes are.
pub fn user() -> &'static str {
    USER
}

fn conflist() -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "flatland",
        "plugins": [{
            "type": "flatland",
            "ipam": {
                "type": "flatland-ipam",
                "kubernetes": { "apiServer": format!("https://{}", server()) },
            },
        }],
    })
}

/// Waits until the routes to peers on a node are to these subnets, in order.
pub fn wait_peer_routes(node: &Node, subnets: &[&str]) -> Result {
    wait_until(
        format!("routes on {}: {subnets:?}", node.name()),
        DEADLINE,
        || peer_routes(node) == subnets,
    )
    .map_err(|error| error.doing(format!("{:?}\n{}", peer_routes(node), node.routed_log())))
}

/// The subnets to which a node has routes via peers.
pub fn peer_routes(node: &Node) -> Vec<String> {
    let routes = node.routes().unwrap_or_default();
    let via = routes.iter().filter(|route| route.contains(" via "));
    let mut subnets: Vec<_> = via
        .filter_map(|route| route.split_whitespace().next().map(str::to_owned))
        .collect();
    subnets.sort_unstable();
    subnets
}
