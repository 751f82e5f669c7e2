//! The result of a successful ADD (SPEC.md, section 5, "ADD Success"): one type for all versions,
//! parsed from any and rendered for the version of the request.

mod parse;
mod render;

use std::net::IpAddr;

use ipnet::IpNet;
use ipnetwork::IpNetwork;
use serde_json::{Map, Value};

/// The result of ADD. IPAM plugins leave `interfaces` empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Success {
    /// The created interfaces, on the host and in the sandbox.
    pub interfaces: Vec<Interface>,
    /// The assigned addresses.
    pub ips: Vec<IpConfig>,
    /// Routes inside the sandbox.
    pub routes: Vec<CniRoute>,
    /// DNS settings, passed on.
    pub dns: Dns,
}

/// One of `interfaces`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its hardware address, `aa:bb:cc:dd:ee:ff`.
    pub mac: Option<String>,
    /// Its MTU in bytes; rendered from 1.1.0 on.
    pub mtu: Option<u32>,
    /// The path of its network namespace; `None` on the host.
    pub sandbox: Option<String>,
    /// Other fields, such as `socketPath` and `pciID`, unchanged.
    pub other: Map<String, Value>,
}

/// One of `ips`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpConfig {
    /// The address with its mask.
    pub address: IpNetwork,
    /// The default gateway of its subnet.
    pub gateway: Option<IpAddr>,
    /// Index into [`Success::interfaces`].
    pub interface: Option<usize>,
}

/// One of `routes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CniRoute {
    /// The destination.
    pub dst: IpNet,
    /// The next hop; `None` means on-link or the gateway of the address of that family.
    pub gw: Option<IpAddr>,
    /// `mtu`, `advmss`, `priority`, `table`, `scope` of 1.1.0; rendered from 1.1.0 on.
    pub other: Map<String, Value>,
}

/// `dns`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Dns {
    /// Name servers, in order of preference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nameservers: Vec<String>,
    /// The local domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Search domains, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search: Vec<String>,
    /// Resolver options.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod tests;
