//! Options of a lab: number of nodes and etcd members, address families, MTU, default routes.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::machine::Plug;
use crate::{Families, Lab, Result, etcd};

/// Host parts of addresses on the switch: etcd members start at 2, nodes at 11, machines outside of
/// the cluster at 200.
const FIRST_NODE: u8 = 11;
const MAX_NODES: u8 = 180;

/// The options of a lab, and [`Builder::start`] to start it.
#[derive(Debug, Clone)]
pub struct Builder {
    pub(crate) nodes: u8,
    pub(crate) etcd: u8,
    pub(crate) families: Families,
    pub(crate) mtu: u32,
    default_route: bool,
    pub(crate) keep: Option<PathBuf>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            nodes: 1,
            etcd: 1,
            families: Families::default(),
            mtu: 1500,
            default_route: true,
            keep: None,
        }
    }
}

impl Builder {
    /// The number of nodes, named `n1` and up; at most 180.
    #[must_use]
    pub fn nodes(self, nodes: u8) -> Self {
        Self {
            nodes: nodes.min(MAX_NODES),
            ..self
        }
    }

    /// The number of etcd members. Without etcd, each node is a network by itself.
    #[must_use]
    pub fn etcd(self, members: u8) -> Self {
        Self {
            etcd: members,
            ..self
        }
    }

    /// The address families of pods.
    #[must_use]
    pub fn families(self, families: Families) -> Self {
        Self { families, ..self }
    }

    /// MTU of the nodes' interfaces in bytes.
    #[must_use]
    pub fn mtu(self, mtu: u32) -> Self {
        Self { mtu, ..self }
    }

    /// Boots nodes without default routes.
    #[must_use]
    pub fn no_default_route(self) -> Self {
        Self {
            default_route: false,
            ..self
        }
    }

    /// Keeps the lab running after [`Lab::leave`] until [`Kept::take_down`](crate::Kept::take_down) ends it. The lab is
    /// recorded in `file`; it is an error if `file` names a lab that still runs.
    #[must_use]
    pub fn keep(self, file: PathBuf) -> Self {
        Self {
            keep: Some(file),
            ..self
        }
    }

    /// Starts the lab: etcd answers and the nodes are booted, but nothing of Flatland runs yet.
    pub fn start(self) -> Result<Lab> {
        Lab::raise(self)
    }

    /// The conflist of the nodes.
    pub(crate) fn conflist(&self) -> Value {
        let mut ipam = json!({ "type": "flatland-ipam", "podCIDRs": self.families.pod_cidrs() });
        if self.etcd > 0 {
            ipam["etcd"] = json!({ "endpoints": etcd::endpoints(self.etcd) });
        }
        json!({
            "cniVersion": "1.0.0",
            "name": "flatland",
            "plugins": [{ "type": "flatland", "ipam": ipam }]
        })
    }

    /// How node `index`, counted from 0, is connected to the switch.
    pub(crate) fn plug(&self, index: u8) -> Plug {
        Plug {
            host: FIRST_NODE + index,
            mtu: self.mtu,
            default_route: self.default_route,
            plugins: None,
        }
    }
}
