//! The `ipam` section, when its type is `flatland-ipam`.

use std::time::Duration;

use ipnet::IpNet;
use serde_json::Value;

use super::section::Section;
use super::{EtcdConfig, IPAM_TYPE, cidr, invalid};
use crate::cni::{self, Error};
use crate::node::NodeName;

/// Longer than a connection attempt to the address's last pod lives: Linux gives up on one 127 s
/// after its first SYN (`tcp_syn_retries` in ip-sysctl.rst).
const DEFAULT_COOL_DOWN: Duration = Duration::from_secs(130);

/// A day, in seconds.
const GREATEST_COOL_DOWN: u64 = 86_400;

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
    /// Addresses that no pod gets: inside `pod_cidrs`, truncated, in order; none touches another.
    pub exclude: Vec<IpNet>,
    /// How long a freed address stays unused while there are others; 130 s where the
    /// configuration does not say. At most a day.
    pub cool_down: Duration,
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
        section.refuse_unknown(&[
            "type",
            "podCIDRs",
            "subnetLengths",
            "etcd",
            "nodeName",
            "exclude",
            "coolDown",
        ])?;
        let pod_cidrs = cidr::pod_cidrs(&section)?;
        Ok(Self {
            network,
            exclude: cidr::exclude(&section, &pod_cidrs)?,
            subnet_lengths: cidr::subnet_lengths(&section, &pod_cidrs)?,
            pod_cidrs,
            etcd: section.get("etcd").map(EtcdConfig::parse).transpose()?,
            node_name: node_name(&section)?,
            cool_down: cool_down(&section)?,
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

fn cool_down(section: &Section<'_>) -> Result<Duration, Error> {
    let expected = format!("a number of seconds from 0 to {GREATEST_COOL_DOWN}");
    let seconds = section.optional("coolDown", &expected, |value| {
        value
            .as_u64()
            .filter(|seconds| *seconds <= GREATEST_COOL_DOWN)
    })?;
    Ok(seconds.map_or(DEFAULT_COOL_DOWN, Duration::from_secs))
}

#[cfg(test)]
mod tests;
