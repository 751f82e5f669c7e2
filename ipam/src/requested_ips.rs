//! Addresses that the caller of ADD requests by name.
//!
//! There are three places for them. The first one that is not empty counts; the others are ignored:
//!
//! 1. `runtimeConfig.ips`, which a runtime fills in for the capability `ips`,
//! 2. `args.cni.ips` of the configuration (CONVENTIONS.md of the CNI project),
//! 3. `IP` in `CNI_ARGS`, several with commas.

use std::net::IpAddr;

use ipnet::IpNet;
use ipnetwork::IpNetwork;
use serde_json::Value;
use wire::cni::{Call, Error, code};

/// The requested addresses, at most one per family of `pod_cidrs`. A prefix length is accepted and
/// ignored: the result has that of the subnet.
pub(crate) fn addresses(call: &Call, pod_cidrs: &[IpNet]) -> Result<Vec<IpAddr>, Error> {
    for pointer in ["/runtimeConfig/ips", "/args/cni/ips"] {
        let name = pointer[1..].replace('/', ".");
        let texts = listed(&name, call.config.pointer(pointer))?;
        if !texts.is_empty() {
            return check(&name, code::INVALID_CONFIG, &texts, pod_cidrs);
        }
    }
    let argument = call.environment.args.get("IP").unwrap_or_default();
    let parts = argument.split(',').map(str::trim);
    let texts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    check(
        "IP of CNI_ARGS",
        code::INVALID_ENVIRONMENT,
        &texts,
        pod_cidrs,
    )
}

fn listed<'a>(name: &str, value: Option<&'a Value>) -> Result<Vec<&'a str>, Error> {
    let wrong = |found: &Value, expected: &str| {
        let msg = format!("{name}: {found} is not {expected}");
        Error::new(code::INVALID_CONFIG, msg)
    };
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => {
            let text = |item: &'a Value| item.as_str().ok_or_else(|| wrong(item, "a string"));
            items.iter().map(text).collect()
        }
        Some(other) => Err(wrong(other, "a list")),
    }
}

fn check(name: &str, code: u32, texts: &[&str], pod_cidrs: &[IpNet]) -> Result<Vec<IpAddr>, Error> {
    let mut addresses: Vec<IpAddr> = Vec::with_capacity(texts.len());
    for text in texts {
        let address = text
            .parse::<IpNetwork>()
            .map_err(|_| Error::new(code, format!("{name}: {text:?} is not an IP address")))?
            .ip();
        let same_family = |other: &&IpAddr| other.is_ipv4() == address.is_ipv4();
        if let Some(other) = addresses.iter().find(same_family) {
            let msg = format!("{name}: {other} and {address} are of one family");
            return Err(Error::new(code, msg).advise("ask for one address per family"));
        }
        if !pod_cidrs
            .iter()
            .any(|cidr| cidr.addr().is_ipv4() == address.is_ipv4())
        {
            let msg = format!("{name}: the network has no pod CIDR of the family of {address}");
            return Err(Error::new(code, msg).advise("leave it out"));
        }
        addresses.push(address);
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests;
