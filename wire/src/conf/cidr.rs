//! Checks of `podCIDRs`, `subnetLengths`, `exclude` and other lists of prefixes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde_json::Value;

use super::invalid;
use super::section::Section;
use crate::cni::Error;

/// The default subnet length: 254 addresses for IPv4, 2^48 for IPv6.
fn default_length(pod_cidr: &IpNet) -> u8 {
    match pod_cidr {
        IpNet::V4(_) => 24,
        IpNet::V6(_) => 80,
    }
}

/// The greatest subnet length: two addresses for pods, besides the first and the last.
fn max_subnet_length(pod_cidr: &IpNet) -> u8 {
    pod_cidr.max_prefix_len() - 2
}

/// Prefixes that pods cannot use, with their names.
fn reserved() -> [(IpNet, &'static str); 9] {
    let v4 = |a, b, c, d, length| IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length));
    let v6 = |address: Ipv6Addr, length| IpNet::V6(Ipv6Net::new_assert(address, length));
    [
        (v4(0, 0, 0, 0, 8), "this host on this network (RFC 1122)"),
        (v4(127, 0, 0, 0, 8), "loopback"),
        (v4(169, 254, 0, 0, 16), "link-local"),
        (v4(224, 0, 0, 0, 4), "multicast"),
        (v4(255, 255, 255, 255, 32), "broadcast"),
        (v6(Ipv6Addr::UNSPECIFIED, 127), "loopback"),
        (
            v6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96),
            "IPv4-mapped",
        ),
        (
            v6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
            "link-local",
        ),
        (
            v6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
            "multicast",
        ),
    ]
}

/// Reads a list of prefixes without host bits.
pub(super) fn prefixes(section: &Section<'_>, key: &str) -> Result<Vec<IpNet>, Error> {
    let expected = "a prefix with its length, as 10.244.0.0/16";
    let read = |value: &Value| value.as_str().and_then(|text| text.parse::<IpNet>().ok());
    without_host_bits(section, key, section.list(key, expected, read)?)
}

fn without_host_bits(
    section: &Section<'_>,
    key: &str,
    prefixes: Vec<IpNet>,
) -> Result<Vec<IpNet>, Error> {
    match prefixes.iter().find(|prefix| **prefix != prefix.trunc()) {
        Some(prefix) => Err(
            invalid(format!("{}: {prefix} has host bits", section.name(key)))
                .advise(format!("write {}", prefix.trunc())),
        ),
        None => Ok(prefixes),
    }
}

/// `exclude`: addresses and prefixes, aggregated. They are inside the pod CIDRs, if these are known.
pub(super) fn exclude(
    section: &Section<'_>,
    pod_cidrs: Option<&[IpNet]>,
) -> Result<Vec<IpNet>, Error> {
    const KEY: &str = "exclude";
    let name = section.name(KEY);
    let expected = "an address or a prefix, as 10.244.0.7 or 10.244.1.0/28";
    let read = |value: &Value| {
        let text = value.as_str()?;
        let address = text.parse::<IpAddr>().ok().map(IpNet::from);
        address.or_else(|| text.parse().ok())
    };
    let exclude = without_host_bits(section, KEY, section.list(KEY, expected, read)?)?;
    let Some(pod_cidrs) = pod_cidrs else {
        return Ok(IpNet::aggregate(&exclude));
    };
    for prefix in &exclude {
        if let Some(whole) = pod_cidrs.iter().find(|cidr| prefix.contains(*cidr)) {
            let msg = format!("{name}: {prefix} leaves nothing of pod CIDR {whole}");
            return Err(invalid(msg).advise("exclude less"));
        }
        if !pod_cidrs.iter().any(|cidr| cidr.contains(prefix)) {
            return Err(
                invalid(format!("{name}: {prefix} is in no pod CIDR")).advise("leave it out")
            );
        }
    }
    let merged = IpNet::aggregate(&exclude);
    match pod_cidrs.iter().find(|cidr| merged.contains(cidr)) {
        Some(whole) => Err(
            invalid(format!("{name} leaves nothing of pod CIDR {whole}")).advise("exclude less"),
        ),
        None => Ok(merged),
    }
}

/// `podCIDRs`: one or two, of different families, outside of the reserved prefixes.
pub(super) fn pod_cidrs(section: &Section<'_>) -> Result<Vec<IpNet>, Error> {
    const KEY: &str = "podCIDRs";
    let name = section.name(KEY);
    let pod_cidrs = prefixes(section, KEY)?;
    if pod_cidrs.is_empty() {
        return Err(match section.collection(KEY) {
            Some(_) => invalid(format!("{name} is empty")),
            None => section.missing(KEY),
        });
    }
    for (position, pod_cidr) in pod_cidrs.iter().enumerate() {
        let same_family = |other: &&IpNet| other.max_prefix_len() == pod_cidr.max_prefix_len();
        if let Some(other) = pod_cidrs[..position].iter().find(same_family) {
            let msg = format!("{name}: {other} and {pod_cidr} are of one family");
            return Err(invalid(msg).advise("give one pod CIDR per family"));
        }
        let overlaps = |net: &IpNet| net.contains(pod_cidr) || pod_cidr.contains(net);
        if let Some((net, what)) = reserved().into_iter().find(|(net, _)| overlaps(net)) {
            let msg = format!("{name}: {pod_cidr} overlaps {net}, which is {what}");
            return Err(invalid(msg).advise("choose a private prefix nothing else uses"));
        }
    }
    Ok(pod_cidrs)
}

/// Refuses `subnetLengths` where the nodes' subnets are not cut by Flatland.
pub(super) fn no_subnet_lengths(section: &Section<'_>) -> Result<Vec<u8>, Error> {
    const KEY: &str = "subnetLengths";
    match section.collection(KEY) {
        None => Ok(Vec::new()),
        Some(_) => Err(invalid(format!(
            "{} is of no use with kubernetes",
            section.name(KEY)
        ))
        .advise("remove it: --node-cidr-mask-size of kube-controller-manager decides that")),
    }
}

/// `subnetLengths`: one per pod CIDR, in their order.
pub(super) fn subnet_lengths(section: &Section<'_>, pod_cidrs: &[IpNet]) -> Result<Vec<u8>, Error> {
    const KEY: &str = "subnetLengths";
    let name = section.name(KEY);
    let read = |value: &Value| value.as_u64().and_then(|length| u8::try_from(length).ok());
    let lengths = match section.collection(KEY) {
        None => pod_cidrs.iter().map(default_length).collect(),
        Some(_) => section.list(KEY, "a prefix length", read)?,
    };
    if lengths.len() != pod_cidrs.len() {
        let (lengths, cidrs) = (lengths.len(), pod_cidrs.len());
        let msg = format!("{name} has {lengths} entries, but podCIDRs has {cidrs}");
        return Err(invalid(msg).advise("give one length per pod CIDR, in the same order"));
    }
    for (pod_cidr, length) in pod_cidrs.iter().zip(&lengths) {
        let (shortest, longest) = (pod_cidr.prefix_len() + 1, max_subnet_length(pod_cidr));
        if shortest > longest {
            let msg = format!("pod CIDR {pod_cidr} is too small to cut subnets from");
            return Err(invalid(msg).advise(format!("it may be up to /{}", longest - 1)));
        }
        if !(shortest..=longest).contains(length) {
            let msg = format!("{name}: /{length} does not fit pod CIDR {pod_cidr}");
            return Err(invalid(msg).advise(format!("choose from {shortest} to {longest}")));
        }
    }
    Ok(lengths)
}
