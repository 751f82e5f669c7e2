//! What all objects have in common (meta/v1).

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// An object of which the caller's type keeps some fields.
pub trait ApiObject: DeserializeOwned + Send + 'static {
    /// Its version in the server's store (`metadata.resourceVersion`).
    fn version(&self) -> &str;
}

/// The metadata of an object, as far as it is used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its identity: a new object of the same name has another.
    #[serde(default)]
    pub uid: String,
    /// Its version in the server's store.
    #[serde(default)]
    pub resource_version: String,
    /// When it was created, as RFC 3339 in UTC: texts are in the order of the times.
    #[serde(default)]
    pub creation_timestamp: Option<String>,
}

/// One page of a list.
#[derive(Debug, Deserialize)]
pub(crate) struct ObjectList<T> {
    pub(crate) metadata: ListMetadata,
    /// A server may send `null` for an empty list.
    #[serde(default = "Option::default")]
    pub(crate) items: Option<Vec<T>>,
}

/// The metadata of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListMetadata {
    #[serde(default)]
    pub(crate) resource_version: String,
    #[serde(default, rename = "continue")]
    pub(crate) next: String,
}
