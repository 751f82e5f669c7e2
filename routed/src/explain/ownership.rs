//! Who owns what, and who is alive.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use registry::{NodeRecord, Registry};
use wire::conf::IpamConfig;
use wire::node::NodeName;

use crate::http::client;
use crate::status::NodeRow;

/// Who owns what, and who is alive.
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

/// As the registry has it now, or as the daemon last saw it.
pub(super) async fn read(conf: &IpamConfig) -> Result<Ownership, String> {
    let why = match Registry::open(conf) {
        Ok(registry) => match registry.snapshot().await {
            Ok(snapshot) => {
                let known = |(node, record): (NodeName, NodeRecord)| {
                    let known = KnownNode {
                        addresses: record.addresses,
                        present: Some(snapshot.presence.contains_key(&node)),
                    };
                    (node, known)
                };
                return Ok(Ownership {
                    nodes: snapshot.nodes.into_iter().map(known).collect(),
                    claims: snapshot
                        .subnets
                        .into_iter()
                        .map(|(subnet, claim)| (subnet, claim.node))
                        .collect(),
                });
            }
            Err(why) => why.to_string(),
        },
        Err(why) => why.to_string(),
    };
    let nodes: Vec<NodeRow> = client::get("/nodes").await.map_err(|_| why)?;
    let mut view = Ownership {
        claims: Vec::new(),
        nodes: BTreeMap::new(),
    };
    for node in nodes {
        let known = KnownNode {
            addresses: node.addresses,
            // Whether it is alive now the registry alone could say.
            present: None,
        };
        view.nodes.insert(node.node.clone(), known);
        let claims = node.subnets.into_iter();
        view.claims
            .extend(claims.map(|subnet| (subnet, node.node.clone())));
    }
    Ok(view)
}
