//! Objects as the store keeps them.

use hyper::body::Bytes;
use serde_json::Value;

use super::request::Request;
use super::resource::{Key, Resource};

/// An object as JSON, without `apiVersion` and `kind`: the items of a list do not have them.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) json: Bytes,
    /// `spec.nodeName`, for selectors.
    node: Option<String>,
    pub(super) identity: Identity,
}

/// What an object keeps from its creation to its deletion.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) uid: String,
    /// The time in RFC 3339.
    pub(super) created: String,
}

impl Object {
    pub(super) fn new(object: &Value, identity: Identity) -> Self {
        let node = object["spec"]["nodeName"].as_str().map(str::to_owned);
        let json = serde_json::to_vec(object).expect("a value is JSON").into();
        Self {
            json,
            node,
            identity,
        }
    }

    /// Its JSON with `apiVersion` and `kind`, in two parts.
    pub(super) fn parts(&self, resource: &Resource) -> (String, &[u8]) {
        let (kind, version) = (resource.kind, resource.api_version());
        let head = format!("{{\"kind\":\"{kind}\",\"apiVersion\":\"{version}\",");
        (head, &self.json[1..])
    }

    /// Its JSON with `apiVersion` and `kind`.
    pub(super) fn json_of(&self, resource: &Resource) -> Vec<u8> {
        let (head, rest) = self.parts(resource);
        [head.as_bytes(), rest].concat()
    }

    /// The whole value.
    pub(super) fn value(&self, resource: &Resource) -> Value {
        serde_json::from_slice(&self.json_of(resource)).expect("stored objects are JSON")
    }

    /// Whether a request is for this object.
    pub(super) fn is_selected(&self, key: &Key, request: &Request) -> bool {
        let is = |field, value: &str| request.selected(field).is_none_or(|it| it == value);
        (key.0, key.1) == (request.resource.group, request.resource.plural)
            && (request.namespace.is_empty() || request.namespace == key.2)
            && is("metadata.name", &key.3)
            && is("spec.nodeName", self.node.as_deref().unwrap_or_default())
    }
}
