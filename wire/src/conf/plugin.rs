//! The `flatland` entry of a conflist.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;

use super::policy::PolicyConfig;
use super::section::Section;
use super::{PLUGIN_TYPE, cidr, invalid};
use crate::cni::{Dns, Error};

/// Keys that the spec, a runtime or a plugin that calls ours adds. Their sources are in the tests.
const FOREIGN_KEYS: &[&str] = &[
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
    "deviceID",
    "pciBusID",
    "resourceName",
];

/// The smallest MTU for IPv4, in bytes: every host must accept it (RFC 791).
const MIN_MTU: u32 = 576;
/// The smallest MTU for IPv6, in bytes (RFC 8200); below it, the kernel disables IPv6 on a link
/// (`IPV6_MIN_MTU`).
pub const MIN_IPV6_MTU: u32 = 1280;

/// The greatest MTU of a veth, in bytes.
const MAX_MTU: u32 = 65_535;

/// How `routed` routes to a peer that is on none of the node's links (`crossSubnet`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CrossSubnet {
    /// No route; the peer is reported in logs, status and metrics.
    #[default]
    Report,
    /// Its subnets are routed like the node's own route to its address: the routers know the pod
    /// CIDRs.
    Gateway,
}

/// The `flatland` entry of a conflist, as the plugin gets it.
///
/// The comments of the fields are also the descriptions of the keys in docs/configuration.md.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginConfig {
    /// Masquerade what pods send out of the cluster: it arrives from the node's address. Never what
    /// they send to pods and nodes. Takes `routed`.
    pub ip_masq: bool,
    /// Prefixes outside of the cluster that pods reach with their own addresses all the same; the
    /// hosts there need a route back.
    pub non_masquerade_cidrs: Vec<IpNet>,
    /// MTU of the pods' interfaces in bytes; 0 takes the uplink's. At least 1280 with IPv6.
    pub mtu: u32,
    /// This node's addresses: they select the uplink, and are the source of what the node sends to
    /// its own pods. Written by `routed` into the copy that it installs; by default those of the
    /// uplink.
    pub node_addresses: Vec<IpAddr>,
    /// How `routed` routes to a peer on another network segment: `report` adds no route and reports
    /// the peer, `gateway` routes its subnets like the node's own route to its address.
    ///
    /// `gateway` is for underlays whose routers know the pods' subnets.
    pub cross_subnet: CrossSubnet,
    /// `flatland-policy` enforces NetworkPolicies on the nodes: after a boot, no pod is added before
    /// its rules are in the kernel. Without the section there are none.
    ///
    /// `{}` switches it on. Then `flatland-policy` has to run on every node.
    pub policy: Option<PolicyConfig>,
    /// The section of the IPAM plugin. That of `flatland-ipam` is below; other IPAM plugins work
    /// too.
    ///
    /// `routed` accepts `flatland-ipam` only: with another plugin the node has no subnet to route
    /// to.
    pub ipam_type: String,
    /// Passed on to the runtime unchanged.
    pub dns: Dns,
    /// Settings of the pod's interface, which is `IFNAME` in their names:
    /// `{"net.ipv4.conf.IFNAME.arp_ignore": "1"}`.
    pub sysctl: Vec<(String, String)>,
}

impl PluginConfig {
    /// The keys of Flatland. Those that the spec, a runtime or a wrapping plugin adds are known
    /// too.
    pub const KEYS: &[&str] = &[
        "type",
        "ipam",
        "ipMasq",
        "nonMasqueradeCIDRs",
        "mtu",
        "nodeAddresses",
        "crossSubnet",
        "policy",
        "dns",
        "sysctl",
    ];

    /// Parses the network configuration of a call. Unknown keys are refused as typing errors,
    /// except those that the spec and runtimes add.
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
            cross_subnet: section
                .optional("crossSubnet", "\"report\" or \"gateway\"", |value| {
                    CrossSubnet::deserialize(value).ok()
                })?
                .unwrap_or_default(),
            policy: section.get("policy").map(PolicyConfig::parse).transpose()?,
            ipam_type: ipam_type(&section)?,
            dns: section
                .collection("dns")
                .map(Dns::parse)
                .transpose()?
                .unwrap_or_default(),
            sysctl: sysctl(&section)?,
        })
    }
}

/// The IPAM plugin that a `flatland` entry names; the rest of the entry may be invalid. DEL needs
/// no more.
pub fn ipam_of(entry: &Value) -> Result<String, Error> {
    ipam_type(&Section::new("", entry)?)
}

fn refuse_unknown(config: &Value, section: &Section<'_>) -> Result<(), Error> {
    let fields = config.as_object().into_iter().flatten();
    let reserved = fields
        .map(|(key, _)| key.as_str())
        .filter(|key| key.starts_with("cni.dev/"));
    let ours = PluginConfig::KEYS.iter().chain(FOREIGN_KEYS).copied();
    let known: Vec<&str> = ours.chain(reserved).collect();
    section.refuse_unknown(&known)
}

fn mtu(section: &Section<'_>) -> Result<u32, Error> {
    let expected = format!("0 (the uplink's) or from {MIN_MTU} to {MAX_MTU}");
    let read = |value: &Value| value.as_u64().and_then(|mtu| u32::try_from(mtu).ok());
    let in_range = |mtu: &u32| *mtu == 0 || (MIN_MTU..=MAX_MTU).contains(mtu);
    let mtu = section.optional("mtu", &expected, |value| read(value).filter(in_range))?;
    let mtu = mtu.unwrap_or_default();
    if (1..MIN_IPV6_MTU).contains(&mtu) && has_ipv6(section) {
        let msg = format!("mtu: {mtu} is too small for the IPv6 pod CIDR");
        return Err(invalid(msg).advise(format!("IPv6 needs at least {MIN_IPV6_MTU}")));
    }
    Ok(mtu)
}

/// Whether the pod CIDRs of `flatland-ipam` include an IPv6 one. They are checked elsewhere.
fn has_ipv6(section: &Section<'_>) -> bool {
    let pod_cidrs = section.get("ipam").and_then(|ipam| ipam.get("podCIDRs"));
    let texts = pod_cidrs.and_then(Value::as_array).into_iter().flatten();
    texts
        .filter_map(Value::as_str)
        .any(|text| text.contains(':'))
}

/// `sysctl`: only settings of the pod's interface; the runtime is responsible for the rest of the
/// pod.
fn sysctl(section: &Section<'_>) -> Result<Vec<(String, String)>, Error> {
    let expected = "an object of kernel settings and their values, both strings";
    let settings = match section.collection("sysctl") {
        Some(Value::Object(settings)) => Some(settings),
        Some(other) => return Err(section.wrong("sysctl", other, expected)),
        None => None,
    };
    let read = |(name, value): (&String, &Value)| {
        let path = interface_setting(name).ok_or_else(|| {
            let msg = format!("sysctl: {name:?} is no setting of the pod's interface");
            invalid(msg).advise("write it as net.ipv4.conf.IFNAME.arp_filter, with IFNAME as it is")
        })?;
        match value.as_str() {
            Some(value) if !value.is_empty() => Ok((path, value.to_owned())),
            _ => Err(section.wrong("sysctl", value, "a string")),
        }
    };
    settings.into_iter().flatten().map(read).collect()
}

/// The path of `net.ipv4.conf.IFNAME.KEY`, written with dots or slashes; also `ipv6` and `neigh`.
fn interface_setting(name: &str) -> Option<String> {
    let path = name.replace('.', "/");
    let [net, family, folder, interface, key] = path.split('/').collect::<Vec<_>>()[..] else {
        return None;
    };
    let is_key = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let known = net == "net"
        && matches!(family, "ipv4" | "ipv6")
        && matches!(folder, "conf" | "neigh")
        && interface == "IFNAME"
        && !key.is_empty()
        && key.bytes().all(is_key);
    known.then_some(path)
}

fn node_address(value: &Value) -> Option<IpAddr> {
    let address: IpAddr = value.as_str()?.parse().ok()?;
    let is_unicast = !(address.is_multicast() || address.is_loopback() || address.is_unspecified())
        && address != IpAddr::V4(Ipv4Addr::BROADCAST);
    is_unicast.then_some(address)
}

/// `ipam.type`. Our own name is refused: the plugin would run itself without end.
fn ipam_type(section: &Section<'_>) -> Result<String, Error> {
    let ipam = section.get("ipam").ok_or_else(|| section.missing("ipam"))?;
    let ipam = Section::new("ipam", ipam)?;
    let is_other_file =
        |text: &&str| !text.is_empty() && !text.contains('/') && *text != PLUGIN_TYPE;
    ipam.optional("type", "the file name of an IPAM plugin", |value| {
        value.as_str().filter(is_other_file).map(str::to_owned)
    })?
    .ok_or_else(|| ipam.missing("type"))
}

#[cfg(test)]
mod tests;
