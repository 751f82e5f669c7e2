//! Section 5, "ADD Success": the schema of a result, in each version of the spec.

use std::net::IpAddr;

use serde_json::Value;

use super::{EVERY, Row};
use crate::conformance::spec::Spec;
use crate::conformance::testbed::Testbed;
use crate::conformance::verdict::{Judged, ensure};

const SUCCESS: &str = "5 ADD Success";

pub(super) const ROWS: &[Row] = &[Row::must(
    "result-shape",
    SUCCESS,
    EVERY,
    "has the shape that the version of the input defines",
    shape,
)];

fn shape(testbed: &Testbed<'_>) -> Judged {
    for version in &testbed.versions {
        let answer = testbed.add()?.with_version(*version).run()?;
        let result = answer.result()?;
        let faults = faults(&result, *version);
        ensure(faults.is_empty(), || {
            answer.with_evidence(&format!("in {version}: {}", faults.join("; ")))
        })?;
    }
    Ok(())
}

/// What is wrong with the schema of a result; empty if nothing is.
fn faults(result: &Value, version: Spec) -> Vec<String> {
    let mut found = Vec::new();
    for (list, check) in [
        (
            "interfaces",
            interface as fn(&Value, Spec) -> Result<(), &'static str>,
        ),
        ("ips", ip),
        ("routes", route),
    ] {
        match &result[list] {
            Value::Null => {}
            Value::Array(items) => found.extend(items.iter().filter_map(|item| {
                let failure = check(item, version).err()?;
                Some(format!("{list}: {item} {failure}"))
            })),
            other => found.push(format!("{list} is no list: {other}")),
        }
    }
    let dns = &result["dns"];
    let lists = ["nameservers", "search", "options"].iter();
    if !(dns.is_null() || dns.is_object())
        || lists
            .clone()
            .any(|key| !(dns[key].is_null() || is_list_of_strings(&dns[key])))
        || !(dns["domain"].is_null() || dns["domain"].is_string())
    {
        found.push(format!("dns does not match the schema: {dns}"));
    }
    found
}

fn interface(item: &Value, version: Spec) -> Result<(), &'static str> {
    let text = |key: &str| item[key].is_null() || item[key].is_string();
    if item["name"].as_str().is_none_or(str::is_empty) {
        return Err("has no name");
    }
    if !(text("mac") && text("sandbox")) {
        return Err("has a mac or a sandbox that is no string");
    }
    if version >= Spec::V1_1_0 && !(item["mtu"].is_null() || item["mtu"].is_u64()) {
        return Err("has an mtu that is no number");
    }
    Ok(())
}

fn ip(item: &Value, version: Spec) -> Result<(), &'static str> {
    let Some(address) = item["address"].as_str().and_then(prefix) else {
        return Err("has no address in CIDR notation");
    };
    let gateway = &item["gateway"];
    let same_family = |text: &str| {
        let parsed = text.parse::<IpAddr>();
        parsed.is_ok_and(|gateway| gateway.is_ipv4() == address.is_ipv4())
    };
    if !(gateway.is_null() || gateway.as_str().is_some_and(same_family)) {
        return Err("has a gateway that is no address of its family");
    }
    if !(item["interface"].is_null() || item["interface"].is_u64()) {
        return Err("has an interface that is no index");
    }
    let family = if address.is_ipv4() { "4" } else { "6" };
    if version < Spec::V1_0_0 && item["version"] != family {
        return Err("does not have its version of IP");
    }
    if version >= Spec::V1_0_0 && !item["version"].is_null() {
        return Err("has a version, which 1.0.0 removed");
    }
    Ok(())
}

fn route(item: &Value, version: Spec) -> Result<(), &'static str> {
    let Some(dst) = item["dst"].as_str().and_then(prefix) else {
        return Err("has no dst in CIDR notation");
    };
    let gw = &item["gw"];
    let same_family = |text: &str| {
        text.parse::<IpAddr>()
            .is_ok_and(|gw| gw.is_ipv4() == dst.is_ipv4())
    };
    if !(gw.is_null() || gw.as_str().is_some_and(same_family)) {
        return Err("has a gw that is no address of its family");
    }
    let numbers = ["mtu", "advmss", "priority", "table", "scope"];
    if version >= Spec::V1_1_0
        && numbers
            .iter()
            .any(|key| !(item[key].is_null() || item[key].is_u64()))
    {
        return Err("has an mtu, advmss, priority, table or scope that is no number");
    }
    Ok(())
}

/// The address of a prefix in CIDR notation.
fn prefix(text: &str) -> Option<IpAddr> {
    let (address, length) = text.split_once('/')?;
    let (address, length): (IpAddr, u8) = (address.parse().ok()?, length.parse().ok()?);
    (length <= if address.is_ipv4() { 32 } else { 128 }).then_some(address)
}

fn is_list_of_strings(value: &Value) -> bool {
    value
        .as_array()
        .is_some_and(|items| items.iter().all(Value::is_string))
}

#[cfg(test)]
mod tests;
