//! A pod.

use std::collections::BTreeMap;
use std::net::IpAddr;

use kubernetes::ApiObject;
use serde::Deserialize;

use super::{L4Protocol, ObjectMeta, null_is_empty};

/// The annotation on the API's copy of a static pod: the UID under which its node runs it
/// (core/v1 `MirrorPodAnnotationKey`).
const MIRROR_ANNOTATION: &str = "kubernetes.io/config.mirror";

/// A Pod object (core/v1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "RawPod")]
pub struct Pod {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its identity.
    pub uid: String,
    /// Its version in the server's store.
    pub resource_version: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// For the copy of a static pod: the UID under which the runtime knows it.
    pub mirrored_uid: Option<String>,
    /// The node that it runs on; empty before it is scheduled.
    pub node_name: String,
    /// Whether it uses the addresses of its node.
    pub host_network: bool,
    /// Its addresses (`podIPs`), at most one of each family.
    pub addresses: Vec<IpAddr>,
    /// Whether it has ended (phase `Succeeded` or `Failed`): its addresses may be another pod's.
    pub has_ended: bool,
    /// The ports that have a name, of containers and of sidecars (init containers that are restarted).
    pub named_ports: Vec<NamedPort>,
}

/// A port of a container that has a name (core/v1 `ContainerPort`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamedPort {
    /// Its name.
    pub name: String,
    /// Its protocol.
    pub protocol: L4Protocol,
    /// Its number.
    pub port: u16,
}

impl ApiObject for Pod {
    fn version(&self) -> &str {
        &self.resource_version
    }
}

#[derive(Deserialize)]
struct RawPod {
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    node_name: String,
    host_network: bool,
    #[serde(deserialize_with = "null_is_empty")]
    containers: Vec<Container>,
    #[serde(deserialize_with = "null_is_empty")]
    init_containers: Vec<Container>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    restart_policy: Option<String>,
    #[serde(deserialize_with = "null_is_empty")]
    ports: Vec<ContainerPort>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerPort {
    name: Option<String>,
    protocol: Option<String>,
    #[serde(rename = "containerPort")]
    number: u32,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodStatus {
    phase: String,
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
    #[serde(rename = "podIPs", deserialize_with = "null_is_empty")]
    pod_ips: Vec<PodIp>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodIp {
    ip: String,
}

impl From<RawPod> for Pod {
    fn from(raw: RawPod) -> Self {
        let mut metadata = raw.metadata;
        Self {
            mirrored_uid: metadata.annotations.remove(MIRROR_ANNOTATION),
            namespace: metadata.namespace,
            name: metadata.name,
            uid: metadata.uid,
            resource_version: metadata.resource_version,
            labels: metadata.labels,
            addresses: raw.status.addresses(),
            has_ended: matches!(raw.status.phase.as_str(), "Succeeded" | "Failed"),
            named_ports: raw.spec.named_ports(),
            node_name: raw.spec.node_name,
            host_network: raw.spec.host_network,
        }
    }
}

impl PodSpec {
    fn named_ports(&self) -> Vec<NamedPort> {
        let is_sidecar = |it: &&Container| it.restart_policy.as_deref() == Some("Always");
        let sidecars = self.init_containers.iter().filter(is_sidecar);
        let ports = self
            .containers
            .iter()
            .chain(sidecars)
            .flat_map(|it| &it.ports);
        let mut named: Vec<_> = ports.filter_map(ContainerPort::named).collect();
        named.sort();
        named.dedup();
        named
    }
}

impl ContainerPort {
    fn named(&self) -> Option<NamedPort> {
        let name = self.name.clone().filter(|name| !name.is_empty())?;
        let protocol = L4Protocol::parse(self.protocol.as_deref().unwrap_or("TCP"))?;
        let port = u16::try_from(self.number).ok()?;
        Some(NamedPort {
            name,
            protocol,
            port,
        })
    }
}

impl PodStatus {
    /// The addresses, each once; `podIP` for servers from before `podIPs`.
    fn addresses(&self) -> Vec<IpAddr> {
        let first = self.pod_ip.iter().filter(|_| self.pod_ips.is_empty());
        let texts = self.pod_ips.iter().map(|it| &it.ip).chain(first);
        let mut found = Vec::new();
        for address in texts.filter_map(|text| text.parse().ok()) {
            if !found.contains(&address) {
                found.push(address);
            }
        }
        found
    }
}
