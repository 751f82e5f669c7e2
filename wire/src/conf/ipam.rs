//! The `ipam` section, when its type is `flatland-ipam`.

use ipnet::IpNet;
use serde_json::Value;

use super::section::Section;
use super::{EtcdConfig, IPAM_TYPE, cidr, invalid};
use crate::cni::{self, Error};
use crate::node::NodeName;

/// What `flatland-ipam`, `routed` and the registry agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpamConfig {
    /// The network's name: the `name` of the conflist.
    pub network: String,
    /// One per address family, truncated.
    pub pod_cidrs: Vec<IpNet>,
    /// The length of the subnets cut from each of `pod_cidrs`, in their order.
    pub subnet_lengths: Vec<u8>,
    /// Where the registry is; `None` is a local file, for a single node.
    pub etcd: Option<EtcdConfig>,
    /// This node's name, valid, where the configuration says it.
    pub node_name: Option<String>,
}

impl IpamConfig {
    /// Reads it from a whole network configuration, as a plugin gets it on standard input: `name`
    /// and `ipam` are looked at, and nothing else.
    pub fn parse(config: &Value) -> Result<Self, Error> {
        let network = cni::network_of(config)?;
        let entry = Section::new("", config)?;
        let ipam = entry.get("ipam").ok_or_else(|| entry.missing("ipam"))?;
        let section = Section::new("ipam", ipam)?;
        match section.string("type")?.as_deref() {
            Some(IPAM_TYPE) => {}
            Some(other) => {
                return Err(invalid(format!(
                    "ipam.type is {other:?}, not {IPAM_TYPE:?}"
                )));
            }
            None => {
                return Err(section
                    .missing("type")
                    .advise(format!("write {IPAM_TYPE:?}")));
            }
        }
        section.refuse_unknown(&["type", "podCIDRs", "subnetLengths", "etcd", "nodeName"])?;
        let pod_cidrs = cidr::pod_cidrs(&section)?;
        Ok(Self {
            network,
            subnet_lengths: cidr::subnet_lengths(&section, &pod_cidrs)?,
            pod_cidrs,
            etcd: section.get("etcd").map(EtcdConfig::parse).transpose()?,
            node_name: node_name(&section)?,
        })
    }
}

fn node_name(section: &Section<'_>) -> Result<Option<String>, Error> {
    let name = section.string("nodeName")?;
    if let Some(name) = &name {
        NodeName::new(name).map_err(|error| error.within(section.name("nodeName")))?;
    }
    Ok(name)
}

#[cfg(test)]
mod tests;
