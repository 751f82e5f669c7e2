//! The values of the keys, as JSON. Unknown fields are ignored, so that an older version can read
//! what a newer one wrote.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use wire::conf::IpamConfig;
use wire::node::NodeName;
use wire::text::cut;

/// The largest value that is parsed, in bytes. Flatland's own values take a few hundred.
const MAX_VALUE: usize = 16 * 1024;

/// Ids and versions are cut to this many bytes.
pub(crate) const MAX_TEXT: usize = 64;

/// What all nodes of a network agree on: the value of `config`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// The pod CIDRs, at most one per family, without host bits.
    #[serde(rename = "podCIDRs")]
    pub pod_cidrs: Vec<IpNet>,
    /// The length of the subnets cut from each pod CIDR, in the same order. Empty if Kubernetes cuts
    /// them, perhaps in several lengths.
    #[serde(rename = "subnetLengths")]
    pub subnet_lengths: Vec<u8>,
}

/// A node's next hops and machine: the value of `nodes/<node>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeRecord {
    /// The addresses that peers may use as next hop, best first. Empty until `routed` has run.
    #[serde(default)]
    pub addresses: Vec<IpAddr>,
    /// `/etc/machine-id` of the machine that holds this name.
    #[serde(deserialize_with = "short_text")]
    pub machine_id: String,
    /// The session of that machine, which a clone does not share; see [`crate::Session`]. Earlier
    /// versions wrote none.
    #[serde(
        default,
        deserialize_with = "short_text_if_any",
        skip_serializing_if = "Option::is_none"
    )]
    pub session: Option<String>,
}

/// The owner of a subnet: the value of `subnets/<address>-<length>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// The node that owns the subnet.
    pub node: NodeName,
}

/// The node's `routed` is alive: the value of `presence/<node>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Presence {
    /// The session of the machine, from boot to boot; see [`crate::Session`].
    #[serde(deserialize_with = "short_text")]
    pub session: String,
    /// The address by which operators reach this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// The version of Flatland on that node.
    #[serde(default, deserialize_with = "short_text")]
    pub version: String,
    /// Start of `routed`, in seconds since 1970 by the node's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

impl Network {
    /// The length of the subnets of `pod_cidr`; `None` if it is no pod CIDR of this network.
    pub fn subnet_length(&self, pod_cidr: &IpNet) -> Option<u8> {
        self.pools()
            .find(|(ours, _)| ours == pod_cidr)
            .map(|(_, length)| length)
    }

    /// The pod CIDR that `subnet` belongs to; `None` if it is in none of them or has another
    /// length.
    pub fn pod_cidr_of(&self, subnet: &IpNet) -> Option<IpNet> {
        let (pod_cidr, length) = self.pool_around(subnet)?;
        let is_subnet = length.is_none_or(|length| length == subnet.prefix_len())
            && subnet.addr() == subnet.network();
        is_subnet.then_some(pod_cidr)
    }

    /// The pod CIDR around `prefix`, and the length of its subnets if all have one.
    pub fn pool_around(&self, prefix: &IpNet) -> Option<(IpNet, Option<u8>)> {
        let mut cidrs = self.pod_cidrs.iter().enumerate();
        let (at, cidr) = cidrs.find(|(_, cidr)| cidr.contains(prefix))?;
        Some((*cidr, self.subnet_lengths.get(at).copied()))
    }

    /// Each pod CIDR with the length of its subnets.
    pub fn pools(&self) -> impl Iterator<Item = (IpNet, u8)> {
        self.pod_cidrs
            .iter()
            .copied()
            .zip(self.subnet_lengths.iter().copied())
    }

    /// Whether both describe the same network; the order of the families does not matter.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let sorted = |network: &Self| {
            let mut pools: Vec<_> = network.pools().collect();
            pools.sort_unstable();
            pools
        };
        let cidrs = |network: &Self| {
            let mut cidrs = network.pod_cidrs.clone();
            cidrs.sort_unstable();
            cidrs
        };
        sorted(self) == sorted(other) && cidrs(self) == cidrs(other)
    }

    /// Why this is not a valid network, if it is not.
    fn flaw(&self) -> Option<String> {
        if self.pod_cidrs.is_empty() {
            return Some("it names no pod CIDR".to_owned());
        }
        if self.pod_cidrs.len() != self.subnet_lengths.len() {
            return Some("it does not have one subnet length per pod CIDR".to_owned());
        }
        let families = |ipv4: bool| {
            self.pod_cidrs
                .iter()
                .filter(|cidr| cidr.addr().is_ipv4() == ipv4)
                .count()
        };
        if families(true) > 1 || families(false) > 1 {
            return Some("it has two pod CIDRs of one family".to_owned());
        }
        self.pools().find_map(|(cidr, length)| {
            if cidr.addr() != cidr.network() {
                Some(format!("pod CIDR {cidr} has host bits"))
            } else if length < cidr.prefix_len() || length > cidr.max_prefix_len() {
                Some(format!(
                    "subnet length {length} does not fit pod CIDR {cidr}"
                ))
            } else {
                None
            }
        })
    }
}

impl From<&IpamConfig> for Network {
    fn from(conf: &IpamConfig) -> Self {
        Self {
            pod_cidrs: conf.pod_cidrs.clone(),
            subnet_lengths: conf.subnet_lengths.clone(),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, pod_cidr) in self.pod_cidrs.iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}{pod_cidr}")?;
            if let Some(length) = self.subnet_lengths.get(at) {
                write!(f, " in subnets of /{length}")?;
            }
        }
        Ok(())
    }
}

/// Parses the value of `config`. The error says what is wrong with it.
pub(crate) fn read_network(value: &[u8]) -> Result<Network, String> {
    let network: Network = read_value(value)?;
    match network.flaw() {
        Some(flaw) => Err(flaw),
        None => Ok(network),
    }
}

/// Parses a value. The error says what is wrong with it.
pub(crate) fn read_value<T: DeserializeOwned>(value: &[u8]) -> Result<T, String> {
    if value.len() > MAX_VALUE {
        return Err(too_large());
    }
    serde_json::from_slice(value).map_err(|why| format!("the value cannot be read: {why}"))
}

/// Why a large value is no record.
pub(crate) fn too_large() -> String {
    format!("the value is longer than {MAX_VALUE} bytes")
}

/// Parses a text of which only the first 64 bytes are kept: an id or a version. Memory is then
/// bounded, whatever another program writes.
fn short_text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    Ok(cut(&text, MAX_TEXT).to_owned())
}

fn short_text_if_any<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    short_text(from).map(Some)
}

/// Renders a value as it is stored.
pub(crate) fn write_value<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("records hold nothing that JSON cannot express")
}

#[cfg(test)]
mod tests;
