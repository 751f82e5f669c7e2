//! A label selector (meta/v1 `LabelSelector`).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::null_is_empty;

/// Which labels an object must have: all requirements together. An empty one selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelector {
    /// Labels that must be there with this value.
    #[serde(deserialize_with = "null_is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements.
    #[serde(deserialize_with = "null_is_empty")]
    pub match_expressions: Vec<SelectorRequirement>,
}

/// A requirement for one label (meta/v1 `LabelSelectorRequirement`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SelectorRequirement {
    /// The key of the label.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: String,
    /// The values for `In` and `NotIn`; empty for the others.
    #[serde(deserialize_with = "null_is_empty")]
    pub values: Vec<String>,
}
