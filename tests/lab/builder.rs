//! What a lab is to be.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::machine::Plug;
use crate::{Families, Lab, Result, etcd};

/// Host parts of addresses on the switch: nodes count from here, etcd from 2, strangers from 200.
const FIRST_NODE: u8 = 11;
const MOST_NODES: u8 = 180;

/// What a lab is to be.
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
    /// How many nodes, `n1` and up; at most 180.
    #[must_use]
    pub fn nodes(self, nodes: u8) -> Self {
        Self {
            nodes: nodes.min(MOST_NODES),
            ..self
        }
    }

    /// How many members etcd has; with none, each node is a network of its own.
    #[must_use]
    pub fn etcd(self, members: u8) -> Self {
        Self {
            etcd: members,
            ..self
        }
    }

    /// Which families pods have.
    #[must_use]
    pub fn families(self, families: Families) -> Self {
        Self { families, ..self }
    }

    /// MTU of the nodes' interfaces in bytes.
    #[must_use]
    pub fn mtu(self, mtu: u32) -> Self {
        Self { mtu, ..self }
    }

    /// Nodes without default routes.
    #[must_use]
    pub fn no_default_route(self) -> Self {
        Self {
            default_route: false,
            ..self
        }
    }

    /// Lets the lab live on after [`Lab::leave`], until it is taken down ([`Kept::take_down`]). It
    /// is written down in `file`; an error if one that is still up is there already.
    #[must_use]
    pub fn keep(self, file: PathBuf) -> Self {
        Self {
            keep: Some(file),
            ..self
        }
    }

    /// Raises it: etcd answers, nodes are booted, nothing of Flatland runs yet.
    pub fn start(self) -> Result<Lab> {
        Lab::raise(self)
    }

    /// The conflist of its nodes.
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

    /// How node `index`, from 0, is plugged in.
    pub(crate) fn plug(&self, index: u8) -> Plug {
        Plug {
            host: FIRST_NODE + index,
            mtu: self.mtu,
            default_route: self.default_route,
            plugins: None,
        }
    }
}
