//! The `flatland` entry of a conflist.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use serde_json::Value;

use super::section::Section;
use super::{cidr, invalid};
use crate::cni::{Dns, Error};

/// The keys we know: ours, and those that the spec, a runtime or a wrapping plugin puts there.
const KNOWN: &[&str] = &[
    "ipMasq",
    "nonMasqueradeCIDRs",
    "mtu",
    "nodeAddresses",
    "ipam",
    "dns",
    "type",
    "name",
    "cniVersion",
    "cniVersions",
    "args",
    "capabilities",
    "runtimeConfig",
    "prevResult",
    "disableCheck",
    "disableGC",
    "loadOnlyInlinedPlugins",
];

/// The least MTU of IPv4 that any host must take (RFC 791), and of IPv6 (RFC 8200).
const LEAST_MTU: u32 = 576;
const LEAST_IPV6_MTU: u32 = 1280;

/// The greatest MTU of a veth.
const GREATEST_MTU: u32 = 65_535;

/// The `flatland` entry of a conflist, as the plugin gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginConfig {
    /// Masquerade what leaves the cluster.
    pub ip_masq: bool,
    /// Where pods go under their own address although it is outside the network; truncated.
    pub non_masquerade_cidrs: Vec<IpNet>,
    /// The MTU of the pod's interface in bytes; 0 is the uplink's.
    pub mtu: u32,
    /// The node's own addresses, written by `routed`: the source of what the node itself sends to
    /// its pods.
    pub node_addresses: Vec<IpAddr>,
    /// The IPAM plugin to delegate to: a file name.
    pub ipam_type: String,
    /// Passed on in the result.
    pub dns: Dns,
}

impl PluginConfig {
    /// Reads it from the network configuration on standard input. Unknown keys are refused (typing
    /// errors), except those that the spec and the runtimes put there.
    pub fn parse(config: &Value) -> Result<Self, Error> {
        let section = Section::new("", config)?;
        refuse_unknown(config, &section)?;
        Ok(Self {
            ip_masq: section
                .optional("ipMasq", "true or false", Value::as_bool)?
                .unwrap_or_default(),
            non_masquerade_cidrs: cidr::prefixes(&section, "nonMasqueradeCIDRs")?,
            mtu: mtu(&section)?,
            node_addresses: section.list("nodeAddresses", "the address of a node", node_address)?,
            ipam_type: ipam_type(&section)?,
            dns: section
                .get("dns")
                .map(Dns::parse)
                .transpose()?
                .unwrap_or_default(),
        })
    }
}

fn refuse_unknown(config: &Value, section: &Section<'_>) -> Result<(), Error> {
    let fields = config.as_object().into_iter().flatten();
    let reserved = fields
        .map(|(key, _)| key.as_str())
        .filter(|key| key.starts_with("cni.dev/"));
    let known: Vec<&str> = KNOWN.iter().copied().chain(reserved).collect();
    section.refuse_unknown(&known)
}

fn mtu(section: &Section<'_>) -> Result<u32, Error> {
    let expected = format!("0 (the uplink's) or from {LEAST_MTU} to {GREATEST_MTU}");
    let read = |value: &Value| value.as_u64().and_then(|mtu| u32::try_from(mtu).ok());
    let in_range = |mtu: &u32| *mtu == 0 || (LEAST_MTU..=GREATEST_MTU).contains(mtu);
    let mtu = section.optional("mtu", &expected, |value| read(value).filter(in_range))?;
    let mtu = mtu.unwrap_or_default();
    if (1..LEAST_IPV6_MTU).contains(&mtu) && has_ipv6(section) {
        let msg = format!("mtu: {mtu} is too small for the IPv6 pod CIDR");
        return Err(invalid(msg).advise(format!("IPv6 needs at least {LEAST_IPV6_MTU}")));
    }
    Ok(mtu)
}

/// Whether the pod CIDRs, if it is our IPAM, hold one of IPv6. Their own check is elsewhere.
fn has_ipv6(section: &Section<'_>) -> bool {
    let pod_cidrs = section.get("ipam").and_then(|ipam| ipam.get("podCIDRs"));
    let texts = pod_cidrs.and_then(Value::as_array).into_iter().flatten();
    texts
        .filter_map(Value::as_str)
        .any(|text| text.contains(':'))
}

fn node_address(value: &Value) -> Option<IpAddr> {
    let address: IpAddr = value.as_str()?.parse().ok()?;
    let is_unicast = !(address.is_multicast() || address.is_loopback() || address.is_unspecified())
        && address != IpAddr::V4(Ipv4Addr::BROADCAST);
    is_unicast.then_some(address)
}

fn ipam_type(section: &Section<'_>) -> Result<String, Error> {
    let ipam = section.get("ipam").ok_or_else(|| section.missing("ipam"))?;
    let ipam = Section::new("ipam", ipam)?;
    let is_file_name = |text: &&str| !text.is_empty() && !text.contains('/');
    ipam.optional("type", "the file name of an IPAM plugin", |value| {
        value.as_str().filter(is_file_name).map(str::to_owned)
    })?
    .ok_or_else(|| ipam.missing("type"))
}

#[cfg(test)]
mod tests;
