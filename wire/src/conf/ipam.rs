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

/// Longer than a job pauses that starts all its pods anew.
const DEFAULT_GIVE_BACK_AFTER: Duration = Duration::from_secs(600);

/// Longer than a runtime takes between removing a namespace and calling DEL.
const DEFAULT_SWEEP_AFTER: Duration = Duration::from_secs(60);

/// A day, in seconds: the longest of these times.
const LONGEST: u64 = 86_400;

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
    /// How long a subnet beyond the first of its pod CIDR stays empty before it is given back;
    /// 600 s where the configuration does not say. At most a day.
    pub give_back_after: Duration,
    /// How long the namespace of an attachment has to be gone before its addresses are freed
    /// although nobody called DEL; 60 s where the configuration does not say. At most a day.
    pub sweep_after: Duration,
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
            "giveBackAfter",
            "sweepAfter",
        ])?;
        let pod_cidrs = cidr::pod_cidrs(&section)?;
        Ok(Self {
            network,
            exclude: cidr::exclude(&section, &pod_cidrs)?,
            subnet_lengths: cidr::subnet_lengths(&section, &pod_cidrs)?,
            pod_cidrs,
            etcd: section.get("etcd").map(EtcdConfig::parse).transpose()?,
            node_name: node_name(&section)?,
            cool_down: seconds(&section, "coolDown", DEFAULT_COOL_DOWN)?,
            give_back_after: seconds(&section, "giveBackAfter", DEFAULT_GIVE_BACK_AFTER)?,
            sweep_after: seconds(&section, "sweepAfter", DEFAULT_SWEEP_AFTER)?,
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

fn seconds(section: &Section<'_>, key: &str, default: Duration) -> Result<Duration, Error> {
    let expected = format!("a number of seconds from 0 to {LONGEST}");
    let seconds = section.optional(key, &expected, |value| {
        value.as_u64().filter(|seconds| *seconds <= LONGEST)
    })?;
    Ok(seconds.map_or(default, Duration::from_secs))
}

#[cfg(test)]
mod tests;
