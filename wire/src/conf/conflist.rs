//! The whole conflist, as `routed` reads, checks and installs it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use serde_json::{Map, Value};

use super::{IPAM_TYPE, IpamConfig, PLUGIN_TYPE, PluginConfig, invalid};
use crate::cni::{self, CniVersion, Error, code};
use crate::node::NodeName;
use crate::state_file;

/// A checked conflist with exactly one `flatland` entry, which uses `flatland-ipam`.
#[derive(Debug, Clone)]
pub struct Conflist {
    json: Value,
    /// The index of the `flatland` entry in `plugins`.
    position: usize,
    plugin: PluginConfig,
    ipam: IpamConfig,
}

impl Conflist {
    /// Reads a file. Code 5 if it cannot be read, 6 if it is not JSON (the message has line and
    /// column); other errors are those of [`Conflist::parse`]. Each message starts with the path.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = state_file::read_linked(path, state_file::LARGE)
            .map_err(|error| Error::new(code::IO, format!("cannot be read: {error}")));
        text.and_then(|text| Self::parse(&text))
            .map_err(|error| error.within(path.display()))
    }

    /// Parses a conflist. It must have supported versions, a valid name, exactly one `flatland`
    /// entry, and in it what [`PluginConfig`] and [`IpamConfig`] require.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let json: Value = serde_json::from_slice(text)
            .map_err(|error| Error::new(code::DECODING, format!("is not JSON: {error}")))?;
        check_versions(&json)?;
        let name = cni::network_of(&json)?;
        let position = find_plugin(&json)?;
        let entry = as_plugin_input(&json, &json["plugins"][position], &name);
        check_ipam_type(&entry)?;
        Ok(Self {
            plugin: PluginConfig::parse(&entry)?,
            ipam: IpamConfig::parse(&entry)?,
            position,
            json,
        })
    }

    /// The network's name.
    pub fn network(&self) -> &str {
        &self.ipam.network
    }

    /// The `flatland` entry.
    pub fn plugin(&self) -> &PluginConfig {
        &self.plugin
    }

    /// Its `ipam` section.
    pub fn ipam(&self) -> &IpamConfig {
        &self.ipam
    }

    /// The versions of the spec that it offers; a runtime takes the newest that it knows. The first
    /// is `cniVersion`, for runtimes that do not know `cniVersions`.
    pub fn versions(&self) -> Vec<CniVersion> {
        let others = self.json["cniVersions"].as_array().into_iter().flatten();
        let all = [&self.json["cniVersion"]].into_iter().chain(others);
        all.filter_map(|version| version.as_str()?.parse().ok())
            .collect()
    }

    /// The types of the other plugins of the chain.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        let entries = self.json["plugins"].as_array().into_iter().flatten();
        let others = entries
            .enumerate()
            .filter(|(position, _)| *position != self.position);
        others.filter_map(|(_, entry)| entry["type"].as_str())
    }

    /// The same conflist without these versions in `cniVersions`; `cniVersion` stays.
    #[must_use]
    pub fn without_versions(mut self, versions: &BTreeSet<CniVersion>) -> Self {
        let basic = self.json["cniVersion"].clone();
        let is_left_out = |version: &Value| {
            let parsed = version.as_str().and_then(|text| text.parse().ok());
            *version != basic && parsed.is_some_and(|version| versions.contains(&version))
        };
        if let Some(offered) = self
            .json
            .get_mut("cniVersions")
            .and_then(Value::as_array_mut)
        {
            offered.retain(|version| !is_left_out(version));
        }
        self
    }

    /// The same conflist without the other plugins of these types.
    #[must_use]
    pub fn without_plugins(mut self, types: &[&str]) -> Self {
        if let Some(entries) = self.json["plugins"].as_array_mut() {
            let is_left_out = |kind: &str| kind != PLUGIN_TYPE && types.contains(&kind);
            entries.retain(|entry| !entry["type"].as_str().is_some_and(is_left_out));
            let is_ours = |entry: &Value| entry["type"] == PLUGIN_TYPE;
            self.position = entries.iter().position(is_ours).unwrap_or(self.position);
        }
        self
    }

    /// The same conflist with these pod CIDRs, if it leaves them to Kubernetes and there are any.
    #[must_use]
    pub fn with_pod_cidrs(mut self, pod_cidrs: &[IpNet]) -> Self {
        if self.ipam.has_derived_pod_cidrs() && !pod_cidrs.is_empty() {
            let ipam = &mut self.json["plugins"][self.position]["ipam"];
            ipam["podCIDRs"] = pod_cidrs.iter().map(IpNet::to_string).collect();
            self.ipam.pod_cidrs = pod_cidrs.to_vec();
        }
        self
    }

    /// The copy to install on a node: with `ipam.nodeName` and `nodeAddresses`, all else unchanged
    /// and in the same order. The same input gives the same bytes.
    pub fn with_node(&self, name: &NodeName, addresses: &[IpAddr]) -> String {
        let mut json = self.json.clone();
        let entry = &mut json["plugins"][self.position];
        entry["ipam"]["nodeName"] = name.as_str().into();
        entry["nodeAddresses"] = addresses.iter().map(IpAddr::to_string).collect();
        format!("{json:#}\n")
    }
}

/// A runtime takes the highest version that it knows, so that all versions must be supported.
fn check_versions(json: &Value) -> Result<(), Error> {
    if !json.is_object() {
        return Err(Error::new(code::DECODING, "is not a JSON object"));
    }
    cni::version_of(json)?;
    let others = json.get("cniVersions").and_then(Value::as_array);
    for other in others.into_iter().flatten() {
        let is_ours = other
            .as_str()
            .is_some_and(|text| text.parse::<CniVersion>().is_ok());
        if !is_ours {
            let versions = CniVersion::ALL.map(CniVersion::as_str).join(", ");
            let msg = format!("cniVersions holds {other}, which is not supported");
            return Err(Error::new(code::INCOMPATIBLE_VERSION, msg)
                .advise(format!("list some of {versions}")));
        }
    }
    Ok(())
}

fn find_plugin(json: &Value) -> Result<usize, Error> {
    let Some(entries) = json.get("plugins").and_then(Value::as_array) else {
        return Err(invalid("has no list \"plugins\"")
            .advise("put the configuration of a single plugin into \"plugins\": [...]"));
    };
    let is_ours = |entry: &Value| entry.get("type").is_some_and(|kind| kind == PLUGIN_TYPE);
    let mut ours = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| is_ours(entry));
    match (ours.next(), ours.next()) {
        (Some((position, _)), None) => Ok(position),
        (None, _) => Err(invalid(format!("has no plugin of type {PLUGIN_TYPE:?}"))),
        (Some(_), Some(_)) => Err(invalid(format!("has two plugins of type {PLUGIN_TYPE:?}"))),
    }
}

/// The entry as a runtime passes it to the plugin: with the name and version of the list.
fn as_plugin_input(json: &Value, entry: &Value, name: &str) -> Value {
    let mut input: Map<String, Value> = entry.as_object().cloned().unwrap_or_default();
    input.insert("name".into(), name.into());
    input.insert("cniVersion".into(), json["cniVersion"].clone());
    input.into()
}

fn check_ipam_type(entry: &Value) -> Result<(), Error> {
    match entry.pointer("/ipam/type").and_then(Value::as_str) {
        Some(other) if other != IPAM_TYPE => {
            let msg = format!("plugin {PLUGIN_TYPE:?} has ipam.type {other:?}");
            Err(invalid(msg).advise(format!(
                "write {IPAM_TYPE:?}: a node whose addresses another plugin hands out has no \
                 subnet that could be routed to"
            )))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
