//! What the watch needs to know of each kind of objects.

use kubernetes::ApiObject;

use crate::api::{ClusterNetworkPolicy, Namespace, NetworkPolicy, Pod};
use crate::compile::PolicyEvent;
use crate::rules::PodName;

/// A kind of objects that is watched.
pub(super) trait WatchedObject: ApiObject {
    /// The path of the collection.
    const PATH: &'static str;

    /// Its name in that path.
    const COLLECTION: &'static str;

    /// Whether a cluster may be without it: kinds whose definition is installed like an object.
    const IS_OPTIONAL: bool = false;

    /// `NAMESPACE/NAME`, or the name of what has no namespace. Names of Kubernetes have no slash.
    fn key(&self) -> String;

    /// The event that it is there, or changed.
    fn applied(self) -> PolicyEvent;

    /// The event that the object with this key is gone.
    fn deleted(key: &str) -> PolicyEvent;
}

impl WatchedObject for Pod {
    const PATH: &'static str = "/api/v1/pods";
    const COLLECTION: &'static str = "pods";

    fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    fn applied(self) -> PolicyEvent {
        PolicyEvent::PodApplied(self)
    }

    fn deleted(key: &str) -> PolicyEvent {
        let (namespace, name) = parts(key);
        PolicyEvent::PodDeleted(PodName::new(namespace, name))
    }
}

impl WatchedObject for Namespace {
    const PATH: &'static str = "/api/v1/namespaces";
    const COLLECTION: &'static str = "namespaces";

    fn key(&self) -> String {
        self.name.clone()
    }

    fn applied(self) -> PolicyEvent {
        PolicyEvent::NamespaceApplied(self)
    }

    fn deleted(key: &str) -> PolicyEvent {
        PolicyEvent::NamespaceDeleted(key.to_owned())
    }
}

impl WatchedObject for NetworkPolicy {
    const PATH: &'static str = "/apis/networking.k8s.io/v1/networkpolicies";
    const COLLECTION: &'static str = "networkpolicies";

    fn key(&self) -> String {
        format!("{}/{}", self.metadata.namespace, self.metadata.name)
    }

    fn applied(self) -> PolicyEvent {
        PolicyEvent::NetworkPolicyApplied(self)
    }

    fn deleted(key: &str) -> PolicyEvent {
        let (namespace, name) = parts(key);
        PolicyEvent::NetworkPolicyDeleted {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl WatchedObject for ClusterNetworkPolicy {
    const PATH: &'static str = "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies";
    const COLLECTION: &'static str = "clusternetworkpolicies";
    const IS_OPTIONAL: bool = true;

    fn key(&self) -> String {
        self.metadata.name.clone()
    }

    fn applied(self) -> PolicyEvent {
        PolicyEvent::ClusterNetworkPolicyApplied(self)
    }

    fn deleted(key: &str) -> PolicyEvent {
        PolicyEvent::ClusterNetworkPolicyDeleted(key.to_owned())
    }
}

/// The namespace and the name in a key.
fn parts(key: &str) -> (&str, &str) {
    key.split_once('/').unwrap_or(("", key))
}
