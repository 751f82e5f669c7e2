//! The kernel's links, addresses and routes of a network namespace, read with `ip`.

use serde::Deserialize;

use super::verdict::Judged;
use crate::error::Doing;
use crate::{Machine, Result};

/// A link and its addresses.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ListedLink {
    /// Its name.
    #[serde(rename = "ifname")]
    pub(super) name: String,
    /// Its hardware address.
    #[serde(rename = "address", default)]
    pub(super) mac: String,
    /// In bytes.
    pub(super) mtu: u64,
    flags: Vec<String>,
    #[serde(rename = "addr_info", default)]
    addresses: Vec<ListedAddress>,
}

#[derive(Debug, Clone, Deserialize)]
struct ListedAddress {
    #[serde(default)]
    local: String,
    #[serde(rename = "prefixlen", default)]
    length: u8,
    #[serde(default)]
    scope: String,
}

#[derive(Debug, Deserialize)]
struct ListedRoute {
    dst: String,
}

impl ListedLink {
    /// Whether it is up.
    pub(super) fn is_up(&self) -> bool {
        self.flags.iter().any(|flag| flag == "UP")
    }

    /// The addresses with their prefix lengths, without link-local ones.
    pub(super) fn addresses(&self) -> Vec<String> {
        let global = self
            .addresses
            .iter()
            .filter(|address| address.scope == "global");
        global
            .map(|address| format!("{}/{}", address.local, address.length))
            .collect()
    }
}

/// The links of the machine, or of a named network namespace on it.
pub(super) fn links(machine: &Machine, netns: Option<&str>) -> Judged<Vec<ListedLink>> {
    Ok(ip_json(machine, netns, &["addr"])?)
}

/// The destinations of the namespace's routes, in all tables, with their prefix lengths.
pub(super) fn destinations(machine: &Machine, netns: &str) -> Judged<Vec<String>> {
    let mut all = Vec::new();
    for (family, everywhere, length) in [("-4", "0.0.0.0/0", 32), ("-6", "::/0", 128)] {
        let words = [family, "route", "show", "table", "all"];
        let routes: Vec<ListedRoute> = ip_json(machine, Some(netns), &words)?;
        all.extend(routes.into_iter().map(|route| match route.dst.as_str() {
            "default" => everywhere.to_owned(),
            host if !host.contains('/') => format!("{host}/{length}"),
            prefix => prefix.to_owned(),
        }));
    }
    Ok(all)
}

fn ip_json<T: for<'de> Deserialize<'de>>(
    machine: &Machine,
    netns: Option<&str>,
    words: &[&str],
) -> Result<Vec<T>> {
    let mut command = vec!["ip", "-j"];
    if let Some(netns) = netns {
        command.extend(["-n", netns]);
    }
    command.extend(words);
    let text = machine.run(&command)?;
    // Older versions of `ip` print nothing where there is nothing.
    let text = if text.trim().is_empty() {
        "[]"
    } else {
        text.as_str()
    };
    serde_json::from_str(text).doing(format!("reading the output of {command:?}: {text}"))
}
