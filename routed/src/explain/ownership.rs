//! Reads which node owns which subnet, and which nodes are present.

use std::collections::BTreeMap;
use std::net::IpAddr;

use daemonkit::http::client;
use ipnet::IpNet;
use registry::{NodeRecord, Registry, Snapshot};
use wire::conf::IpamConfig;
use wire::node::NodeName;

use crate::identity::ROUTED;
use crate::status::NodeRow;

/// Which node owns which subnet, and what is known of the nodes.
pub(super) struct Ownership {
    pub(super) claims: Vec<(IpNet, NodeName)>,
    pub(super) nodes: BTreeMap<NodeName, KnownNode>,
}

/// What is known of a node.
#[derive(Clone, Default)]
pub(super) struct KnownNode {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) present: Option<bool>,
}

/// From the registry; if it cannot be read, as the daemon of this node last saw it.
pub(super) async fn read(conf: &IpamConfig) -> Result<Ownership, String> {
    match Registry::open(conf).snapshot().await {
        Ok(snapshot) => Ok(from_registry(snapshot)),
        Err(error) => match client::get::<Vec<NodeRow>>(ROUTED, "/nodes").await {
            Ok(nodes) => Ok(from_daemon(nodes)),
            Err(_) => Err(error.to_string()),
        },
    }
}

fn from_registry(snapshot: Snapshot) -> Ownership {
    let known = |(node, record): (NodeName, NodeRecord)| {
        let known = KnownNode {
            addresses: record.addresses,
            present: Some(snapshot.presence.contains_key(&node)),
        };
        (node, known)
    };
    let claims = snapshot.subnets.into_iter();
    Ownership {
        nodes: snapshot.nodes.into_iter().map(known).collect(),
        claims: claims.map(|(subnet, claim)| (subnet, claim.node)).collect(),
    }
}

fn from_daemon(nodes: Vec<NodeRow>) -> Ownership {
    let mut ownership = Ownership {
        claims: Vec::new(),
        nodes: BTreeMap::new(),
    };
    for node in nodes {
        let known = KnownNode {
            addresses: node.addresses,
            // Only the registry knows whether the node is present now.
            present: None,
        };
        let claims = node.subnets.into_iter();
        let claims = claims.map(|subnet| (subnet, node.node.clone()));
        ownership.claims.extend(claims);
        ownership.nodes.insert(node.node, known);
    }
    ownership
}
