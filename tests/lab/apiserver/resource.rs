//! The resources that the server has.

use k8s_openapi::api::core::v1::{Event, Namespace, Node, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde::Deserialize;
use serde_json::Value;

/// A kind of objects.
pub(super) struct Resource {
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) plural: &'static str,
    pub(super) kind: &'static str,
    pub(super) namespaced: bool,
    /// Whether the status is written through a subresource of its own.
    pub(super) status: bool,
    /// Why an object is no valid one of this kind.
    pub(super) check: fn(&Value) -> Result<(), String>,
}

const fn core(plural: &'static str, kind: &'static str, check: Check) -> Resource {
    Resource {
        group: "",
        version: "v1",
        plural,
        kind,
        namespaced: true,
        status: true,
        check,
    }
}

type Check = fn(&Value) -> Result<(), String>;

/// All kinds. Another one is another row.
static RESOURCES: [Resource; 6] = [
    Resource {
        namespaced: false,
        ..core("nodes", "Node", typed::<Node>)
    },
    Resource {
        namespaced: false,
        ..core("namespaces", "Namespace", typed::<Namespace>)
    },
    Resource {
        status: false,
        ..core("events", "Event", typed::<Event>)
    },
    core("pods", "Pod", typed::<Pod>),
    Resource {
        group: "networking.k8s.io",
        status: false,
        ..core("networkpolicies", "NetworkPolicy", typed::<NetworkPolicy>)
    },
    Resource {
        group: "policy.networking.k8s.io",
        version: "v1alpha2",
        namespaced: false,
        ..core("clusternetworkpolicies", "ClusterNetworkPolicy", |_| Ok(()))
    },
];

fn typed<T: for<'a> Deserialize<'a>>(object: &Value) -> Result<(), String> {
    T::deserialize(object)
        .map(drop)
        .map_err(|error| error.to_string())
}

impl Resource {
    /// The value of `apiVersion`.
    pub(super) fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// The name in messages: `networkpolicies.networking.k8s.io`.
    pub(super) fn qualified(&self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// The resource of an object, by its `apiVersion` and `kind`.
    pub(super) fn of(object: &Value) -> Option<&'static Self> {
        let has = |key: &str, value: &str| object[key].as_str() == Some(value);
        RESOURCES
            .iter()
            .find(|it| has("kind", it.kind) && has("apiVersion", &it.api_version()))
    }

    /// The resource of these requests.
    pub(super) fn served(group: &str, version: &str, plural: &str) -> Option<&'static Self> {
        let is_it = |it: &&Self| (it.group, it.version, it.plural) == (group, version, plural);
        RESOURCES.iter().find(is_it)
    }

    /// The resource with this plural name.
    pub(super) fn named(plural: &str) -> Option<&'static Self> {
        RESOURCES.iter().find(|it| it.plural == plural)
    }
}

/// Identifies an object in the store: group, plural, namespace or empty, name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(
    pub(super) &'static str,
    pub(super) &'static str,
    pub(super) String,
    pub(super) String,
);

impl Key {
    pub(super) fn new(resource: &Resource, namespace: &str, name: &str) -> Self {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Self(resource.group, resource.plural, namespace, name)
    }
}
