//! The `kubernetes` section of `ipam`: Kubernetes' own Node objects are the registry.

use serde_json::Value;

use super::invalid;
use super::section::Section;
use crate::cni::Error;

/// The port of an API server whose address names none.
const DEFAULT_PORT: u16 = 443;

/// Kubernetes gives the nodes their subnets: the `kubernetes` section of `ipam`, which may be empty.
///
/// The comments of the fields are also the descriptions of the keys in docs/configuration.md.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubernetesConfig {
    /// The API server, `https://HOST:PORT`, for `routed`. By default that of the pod's environment,
    /// which kube-proxy has to make reachable.
    ///
    /// Set it where nothing does that before the pod network works: on clusters without kube-proxy,
    /// or with a virtual address for the API server. Its certificate must name HOST.
    pub api_server: Option<String>,
    /// Whether the conflist names the pod CIDRs. Otherwise they follow from the Nodes'.
    pub pod_cidrs_given: bool,
}

impl KubernetesConfig {
    /// The keys of the section.
    pub const KEYS: &[&str] = &["apiServer"];

    pub(super) fn parse(value: &Value, pod_cidrs_given: bool) -> Result<Self, Error> {
        let section = Section::new("ipam.kubernetes", value)?;
        section.refuse_unknown(Self::KEYS)?;
        let api_server = section.string("apiServer")?;
        let name = section.name("apiServer");
        let api_server = api_server.map(|url| {
            host_and_port(&url).map_err(|why| {
                invalid(format!("{name}: {url:?} {why}")).advise("write https://HOST:PORT")
            })
        });
        Ok(Self {
            api_server: api_server.transpose()?,
            pod_cidrs_given,
        })
    }
}

/// `HOST:PORT` of a URL.
fn host_and_port(url: &str) -> Result<String, &'static str> {
    let authority = url.strip_prefix("https://").ok_or("is no https URL")?;
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    // An IPv6 address has brackets, as in a URL.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
        _ => (authority, Some(DEFAULT_PORT)),
    };
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    let allowed = |char: char| char.is_ascii_alphanumeric() || "-._".contains(char);
    let is_host = if is_bracketed {
        host[1..host.len() - 1]
            .parse::<std::net::Ipv6Addr>()
            .is_ok()
    } else {
        !host.is_empty() && host.chars().all(allowed)
    };
    match port {
        Some(port) if is_host && port != 0 => Ok(format!("{host}:{port}")),
        _ => Err("is no https://HOST:PORT"),
    }
}

#[cfg(test)]
mod tests;
