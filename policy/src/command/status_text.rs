//! `flatland-policy status` as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::status::{CollectionStatus, EnforcementStatus};

/// The status for people, `now` in seconds since 1970.
pub(super) fn render(status: &EnforcementStatus, now: u64) -> String {
    let verdict = if status.troubles.is_empty() {
        "well"
    } else {
        "not well"
    };
    let counts = |all: &BTreeMap<String, usize>| {
        let each: Vec<_> = all
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        each.join(", ")
    };
    let mut text = format!(
        "flatland-policy {}, pid {}: {verdict}\n  pods   {}\n  rules  {}",
        status.version,
        status.pid,
        counts(&status.pods),
        counts(&status.rules)
    );
    if !status.collections.is_empty() {
        text += "\n\nread from the API server";
    }
    let width = status.collections.keys().map(String::len).max();
    let width = width.unwrap_or_default();
    for (name, collection) in &status.collections {
        let _ = write!(text, "\n  {name:<width$}  {}", progress(collection, now));
    }
    if !status.troubles.is_empty() {
        text += "\n\ntroubles";
    }
    for trouble in &status.troubles {
        let _ = write!(text, "\n  - {trouble}");
    }
    text
}

/// How far a collection was read.
fn progress(collection: &CollectionStatus, now: u64) -> String {
    if !collection.is_installed {
        return "not installed".to_owned();
    }
    if collection.resource_version.is_empty() {
        return "not yet".to_owned();
    }
    let seconds = now.saturating_sub(collection.since);
    let version = &collection.resource_version;
    format!("up to resourceVersion {version}, {seconds} s ago")
}

#[cfg(test)]
mod tests;
