//! The `ipam` section of type `flatland-ipam`.

use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::Value;

use super::section::Section;
use super::{EtcdConfig, IPAM_TYPE, KubernetesConfig, cidr, duration, invalid};
use crate::cni::{self, Error};
use crate::node::NodeName;

/// Longer than a connection attempt to the previous pod lasts: Linux gives up 127 s after the first
/// SYN (`tcp_syn_retries` in ip-sysctl.rst).
const DEFAULT_COOL_DOWN: Duration = Duration::from_secs(130);

/// A quarter of a /24 are 63 addresses: more pods than a node restarts in two minutes, unless jobs come
/// and go in quick succession.
const DEFAULT_MAX_COOLING_PERCENT: u8 = 25;

/// Longer than the pause of a job that restarts all its pods.
const DEFAULT_GIVE_BACK_AFTER: Duration = Duration::from_secs(600);

/// Longer than a runtime takes from removing a namespace to calling DEL.
const DEFAULT_SWEEP_AFTER: Duration = Duration::from_secs(60);

/// A day: the maximum of these times.
const MAX_TIME: Duration = Duration::from_secs(86_400);

/// The range of `forgetAfter`: tests need short times, and a year is practically never.
const FORGET_AFTER_RANGE: RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(366 * 86_400);

/// The `ipam` section of the `flatland` entry, for `flatland-ipam`, `routed` and the registry.
///
/// The comments of the fields are also the descriptions of the keys in docs/configuration.md.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpamConfig {
    /// The network's name: the `name` of the conflist.
    pub network: String,
    /// The cluster-wide prefixes that pods get their addresses from; at most one of each family.
    ///
    /// They must not overlap the nodes' own network or the service CIDR, and cannot be changed
    /// while nodes own subnets of them. With `kubernetes` they may be left out: they are then the
    /// smallest prefixes that hold the `podCIDRs` of all Nodes.
    pub pod_cidrs: Vec<IpNet>,
    /// The prefix length of a node's subnets, one for each pod CIDR, in the same order. By default
    /// 24 for IPv4 and 80 for IPv6.
    ///
    /// Each is longer than its pod CIDR's, and at most 30 or 126. Not with `kubernetes`, which
    /// decides that.
    pub subnet_lengths: Vec<u8>,
    /// How to reach etcd, in which nodes claim their subnets. Without it and without `kubernetes`
    /// there is one node, whose claims are in a local file.
    pub etcd: Option<EtcdConfig>,
    /// In place of `etcd`: Kubernetes gives each node its subnets.
    pub kubernetes: Option<KubernetesConfig>,
    /// This node's name: a lower-case RFC 1123 subdomain. Written by `routed` into the copy that it
    /// installs; by default the environment variable `NODE_NAME`, else the host name.
    pub node_name: Option<String>,
    /// Addresses and prefixes inside the pod CIDRs that no pod gets:
    /// `["10.244.0.0/28", "10.244.9.7"]`.
    ///
    /// It may be changed while addresses are in use: pods keep an address that they have.
    pub exclude: Vec<IpNet>,
    /// How long a freed address is not reused while others are free, so that connections to its
    /// previous pod have given up by then.
    pub cool_down: Duration,
    /// How many of a node's addresses may cool down, in percent. Beyond that, the one that has cooled
    /// down for longest, and for at least 15 s, is reused before a further subnet is claimed.
    ///
    /// 100 keeps every cool-down, and claims subnets for it.
    pub max_cooling_percent: u8,
    /// How long a further subnet of the node must be empty before `routed` gives it back; the first
    /// subnet of each pod CIDR stays.
    pub give_back_after: Duration,
    /// How long a pod's namespace must be gone before `routed` frees its addresses without a DEL.
    pub sweep_after: Duration,
    /// How long a node must be absent (no presence of its `routed`) before its peers forget it, as
    /// `routed forget` does: `"72h"`. By default never.
    ///
    /// For clusters whose nodes come and go. Requires etcd, and must be the same on all nodes.
    pub forget_after: Option<Duration>,
}

impl IpamConfig {
    /// The keys of the section.
    pub const KEYS: &[&str] = &[
        "type",
        "podCIDRs",
        "subnetLengths",
        "etcd",
        "kubernetes",
        "exclude",
        "coolDown",
        "maxCoolingPercent",
        "giveBackAfter",
        "sweepAfter",
        "forgetAfter",
        "nodeName",
    ];

    /// Parses `name` and `ipam` of a whole network configuration, as a plugin gets it on standard
    /// input.
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
        section.refuse_unknown(Self::KEYS)?;
        let are_given = section.collection("podCIDRs").is_some();
        let kubernetes = section
            .get("kubernetes")
            .map(|value| KubernetesConfig::parse(value, are_given))
            .transpose()?;
        let etcd = section.get("etcd").map(EtcdConfig::parse).transpose()?;
        if etcd.is_some() && kubernetes.is_some() {
            let msg = "ipam has an etcd and a kubernetes section";
            return Err(invalid(msg).advise("keep the one that gives nodes their subnets"));
        }
        let pod_cidrs = match &kubernetes {
            Some(_) if !are_given => Vec::new(),
            _ => cidr::pod_cidrs(&section)?,
        };
        let subnet_lengths = match &kubernetes {
            Some(_) => cidr::no_subnet_lengths(&section)?,
            None => cidr::subnet_lengths(&section, &pod_cidrs)?,
        };
        Ok(Self {
            network,
            // Kubernetes may give nodes pod CIDRs that are not known yet.
            exclude: cidr::exclude(&section, kubernetes.is_none().then_some(&*pod_cidrs))?,
            subnet_lengths,
            pod_cidrs,
            etcd,
            kubernetes,
            node_name: node_name(&section)?,
            cool_down: seconds(&section, "coolDown", DEFAULT_COOL_DOWN)?,
            max_cooling_percent: max_cooling_percent(&section)?,
            give_back_after: seconds(&section, "giveBackAfter", DEFAULT_GIVE_BACK_AFTER)?,
            sweep_after: seconds(&section, "sweepAfter", DEFAULT_SWEEP_AFTER)?,
            forget_after: forget_after(&section)?,
        })
    }
}

impl IpamConfig {
    /// Whether the pod CIDRs follow from those that Kubernetes gave to the nodes.
    pub fn has_derived_pod_cidrs(&self) -> bool {
        let kubernetes = self.kubernetes.as_ref();
        kubernetes.is_some_and(|kubernetes| !kubernetes.pod_cidrs_given)
    }

    /// Whether there is one node, whose claims are in a local file.
    pub fn is_local(&self) -> bool {
        self.etcd.is_none() && self.kubernetes.is_none()
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
    let expected = format!(
        "a number of seconds from 0 to {}, or a text such as \"10m\"",
        MAX_TIME.as_secs()
    );
    let time = section.optional(key, &expected, |value| {
        duration::read(value).filter(|time| *time <= MAX_TIME)
    })?;
    Ok(time.unwrap_or(default))
}

fn max_cooling_percent(section: &Section<'_>) -> Result<u8, Error> {
    let percent = section.optional("maxCoolingPercent", "a number from 0 to 100", |value| {
        let percent = u8::try_from(value.as_u64()?).ok()?;
        (percent <= 100).then_some(percent)
    })?;
    Ok(percent.unwrap_or(DEFAULT_MAX_COOLING_PERCENT))
}

fn forget_after(section: &Section<'_>) -> Result<Option<Duration>, Error> {
    const KEY: &str = "forgetAfter";
    let expected = "a time from \"1s\" to \"366d\", such as \"72h\", or a number of seconds";
    let time = section.optional(KEY, expected, |value| {
        duration::read(value).filter(|time| FORGET_AFTER_RANGE.contains(time))
    })?;
    if time.is_some() && section.get("etcd").is_none() {
        let msg = format!("{} is of no use without etcd", section.name(KEY));
        return Err(invalid(msg)
            .advise("remove it: without etcd, Kubernetes forgets nodes, or there is one node"));
    }
    Ok(time)
}

#[cfg(test)]
mod tests;
