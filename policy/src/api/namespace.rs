//! A namespace.

use std::collections::BTreeMap;

use kubernetes::ApiObject;
use serde::Deserialize;

use super::ObjectMeta;

/// A Namespace object (core/v1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "RawNamespace")]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub uid: String,
    /// Its version in the server's store.
    pub resource_version: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RawNamespace {
    #[serde(default)]
    metadata: ObjectMeta,
}

impl From<RawNamespace> for Namespace {
    fn from(raw: RawNamespace) -> Self {
        Self {
            name: raw.metadata.name,
            uid: raw.metadata.uid,
            resource_version: raw.metadata.resource_version,
            labels: raw.metadata.labels,
        }
    }
}

impl ApiObject for Namespace {
    fn version(&self) -> &str {
        &self.resource_version
    }
}
