//! The lines that the status has with and without the daemon.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::status::AddressUsage;
use crate::status::policy::PolicyStatus;

/// Appends a line with a name and its value.
pub(super) fn append(text: &mut String, name: &str, value: &str) {
    write!(text, "\n  {name:<10} {value}").expect("a string takes any text");
}

/// `IPv4 3 used, 0 cooling, 250 free; IPv6 ...`
pub(super) fn pods(usage: &BTreeMap<String, AddressUsage>) -> String {
    let each: Vec<_> = usage
        .iter()
        .map(|(family, usage)| {
            let family = family.replace("ip", "IP");
            let AddressUsage {
                used,
                cooling,
                free,
            } = usage;
            format!("{family} {used} used, {cooling} cooling, {free} free")
        })
        .collect();
    or_none(&each.join("; "))
}

/// What the program that enforces NetworkPolicies does, in a few words.
pub(super) fn policy(status: &PolicyStatus) -> &'static str {
    match (status.running, status.ready) {
        (Some(true), true) => "flatland-policy is running",
        (Some(true), false) => "flatland-policy is starting",
        (Some(false), _) => "flatland-policy is not running",
        (None, _) => "unknown",
    }
}

/// `none` instead of an empty text.
pub(super) fn or_none(text: &str) -> String {
    if text.is_empty() {
        "none".to_owned()
    } else {
        text.to_owned()
    }
}
