//! Renders a result as JSON.

use serde_json::{Map, Value, json};

use super::{CniRoute, Dns, Interface, IpConfig, Success};
use crate::cni::CniVersion;

impl Success {
    /// The JSON for `version`, with `cniVersion`. Each of `ips` has `version` before 1.0.0; `mtu`
    /// and route attributes are left out before 1.1.0, and empty fields always.
    pub fn render(&self, version: CniVersion) -> Value {
        let mut json = Map::new();
        json.insert("cniVersion".into(), version.as_str().into());
        insert_list(&mut json, "interfaces", &self.interfaces, |interface| {
            render_interface(interface, version)
        });
        insert_list(&mut json, "ips", &self.ips, |ip| render_ip(ip, version));
        insert_list(&mut json, "routes", &self.routes, |route| {
            render_route(route, version)
        });
        if self.dns != Dns::default() {
            json.insert("dns".into(), json!(self.dns));
        }
        json.into()
    }
}

fn insert_list<T>(
    json: &mut Map<String, Value>,
    key: &str,
    list: &[T],
    render: impl Fn(&T) -> Map<String, Value>,
) {
    if !list.is_empty() {
        json.insert(key.into(), list.iter().map(render).collect());
    }
}

fn insert_some(json: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        json.insert(key.into(), value.into());
    }
}

fn render_interface(interface: &Interface, version: CniVersion) -> Map<String, Value> {
    let mut json = Map::new();
    json.insert("name".into(), interface.name.as_str().into());
    insert_some(&mut json, "mac", interface.mac.as_deref());
    if version >= CniVersion::V1_1_0 {
        insert_some(&mut json, "mtu", interface.mtu);
    }
    insert_some(&mut json, "sandbox", interface.sandbox.as_deref());
    json.extend(interface.other.clone());
    json
}

fn render_ip(ip: &IpConfig, version: CniVersion) -> Map<String, Value> {
    let mut json = Map::new();
    if version < CniVersion::V1_0_0 {
        let family = if ip.address.is_ipv4() { "4" } else { "6" };
        json.insert("version".into(), family.into());
    }
    json.insert("address".into(), ip.address.to_string().into());
    insert_some(
        &mut json,
        "gateway",
        ip.gateway.map(|gateway| gateway.to_string()),
    );
    insert_some(&mut json, "interface", ip.interface);
    json
}

fn render_route(route: &CniRoute, version: CniVersion) -> Map<String, Value> {
    let mut json = Map::new();
    json.insert("dst".into(), route.dst.to_string().into());
    insert_some(&mut json, "gw", route.gw.map(|gw| gw.to_string()));
    if version >= CniVersion::V1_1_0 {
        json.extend(route.other.clone());
    }
    json
}
