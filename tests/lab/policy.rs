//! A cluster whose nodes run `flatland-policy`, and pods as Kubernetes schedules them: first their
//! object, then ADD, then their addresses in the object.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::apiserver::cluster::{Cluster, user};
use crate::{Error, Lab, Node, Pod, Result};

/// The manifest with the rights of `flatland-policy`.
const RIGHTS: &str = include_str!("../../conf/components/network-policy/rights.yaml");

/// A cluster with network policies.
#[derive(Debug)]
pub struct PolicyCluster {
    /// The nodes and their API server.
    pub cluster: Cluster,
}

/// What is to be known of a pod before it is created.
#[derive(Debug, Clone, Default)]
pub struct PodObject {
    namespace: String,
    name: String,
    labels: BTreeMap<String, String>,
    /// Ports with names: name, protocol, number.
    ports: Vec<(String, String, u16)>,
}

impl PolicyCluster {
    /// Boots nodes with `policy` in their conflist; `routed` runs and has all routes, and
    /// `flatland-policy` does not run yet.
    pub fn without_policy_program(nodes: u8) -> Result<Self> {
        Self::configured(nodes, &json!({}))
    }

    /// As [`PolicyCluster::start`], with an etcd as the registry.
    pub fn with_etcd(nodes: u8) -> Result<Self> {
        let lab = Lab::builder().nodes(nodes).start()?;
        let cluster = Self::on(Cluster::beside(lab)?, &json!({}))?;
        let nodes = cluster.cluster.lab.nodes();
        nodes.iter().try_for_each(Node::start_policy)?;
        Ok(cluster)
    }

    /// As [`PolicyCluster::without_policy_program`], with this value of `policy`.
    pub fn configured(nodes: u8, policy: &Value) -> Result<Self> {
        Self::on(Cluster::boot(nodes)?, policy)
    }

    fn on(mut cluster: Cluster, policy: &Value) -> Result<Self> {
        grant(&cluster)?;
        let nodes = cluster.lab.nodes().len();
        for number in 1..=nodes {
            let node = cluster.lab.node_mut(number);
            let mut conflist = node.conflist();
            conflist["plugins"][0]["policy"] = policy.clone();
            node.set_conflist(&conflist)?;
        }
        cluster.lab.start_routed()?;
        cluster.lab.wait_routes()?;
        Ok(Self { cluster })
    }

    /// As [`PolicyCluster::without_policy_program`], and `flatland-policy` runs on each node.
    pub fn start(nodes: u8) -> Result<Self> {
        let cluster = Self::without_policy_program(nodes)?;
        let nodes = cluster.cluster.lab.nodes();
        nodes.iter().try_for_each(Node::start_policy)?;
        Ok(cluster)
    }

    /// Node `number`, counted from 1.
    pub fn node(&self, number: usize) -> &Node {
        self.cluster.node(number)
    }

    /// Creates or replaces an object.
    pub fn put(&self, object: &Value) -> Result {
        self.cluster.put(object)
    }

    /// Creates or replaces a namespace. It has its name as a label, as Kubernetes sets it.
    pub fn namespace(&self, name: &str, labels: &[(&str, &str)]) -> Result {
        let mut all: BTreeMap<&str, &str> = labels.iter().copied().collect();
        all.insert("kubernetes.io/metadata.name", name);
        self.put(&json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": name, "labels": all },
        }))
    }

    /// Creates or replaces a `NetworkPolicy`.
    pub fn policy(&self, namespace: &str, name: &str, spec: &Value) -> Result {
        self.put(&json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": { "namespace": namespace, "name": name }, "spec": spec,
        }))
    }

    /// A pod that runs on node `number`: its object, ADD, and the addresses in its object.
    pub fn pod(&self, number: usize, pod: &PodObject) -> Result<Pod<'_>> {
        self.put(&pod.scheduled(self.node(number).name()))?;
        let attached = self.attach(number, pod)?;
        self.put(&pod.running(self.node(number).name(), &attached.addresses()))?;
        Ok(attached)
    }

    /// The network namespace of a pod on node `number`, not attached yet.
    pub fn sandbox(&self, number: usize, pod: &PodObject) -> Result<Pod<'_>> {
        let sandbox = self.node(number).sandbox(&pod.sandbox_name())?;
        Ok(sandbox.with_args(&pod.cni_args()))
    }

    /// ADD for a pod on node `number`.
    pub fn attach(&self, number: usize, pod: &PodObject) -> Result<Pod<'_>> {
        let mut sandbox = self.sandbox(number, pod)?;
        sandbox.attach()?;
        Ok(sandbox)
    }
}

impl PodObject {
    /// A pod with these labels.
    pub fn new(namespace: &str, name: &str, labels: &[(&str, &str)]) -> Self {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            labels: labels.iter().map(owned).collect(),
            ports: Vec::new(),
        }
    }

    /// The pod with a named port more; `protocol` is `TCP`, `UDP` or `SCTP`.
    #[must_use]
    pub fn with_port(mut self, name: &str, protocol: &str, number: u16) -> Self {
        self.ports
            .push((name.to_owned(), protocol.to_owned(), number));
        self
    }

    /// The pod with other labels.
    #[must_use]
    pub fn with_labels(self, labels: &[(&str, &str)]) -> Self {
        Self {
            ports: self.ports.clone(),
            ..Self::new(&self.namespace, &self.name, labels)
        }
    }

    /// Its object once the scheduler has chosen a node, before kubelet has begun.
    pub fn scheduled(&self, node: &str) -> Value {
        self.object(node, &json!({ "phase": "Pending" }))
    }

    /// Its object while it runs.
    pub fn running(&self, node: &str, addresses: &[IpAddr]) -> Value {
        self.in_phase("Running", node, addresses)
    }

    /// Its object in another phase, as `Succeeded`.
    pub fn in_phase(&self, phase: &str, node: &str, addresses: &[IpAddr]) -> Value {
        let ips: Vec<_> = addresses.iter().map(|ip| json!({ "ip": ip })).collect();
        let status = json!({ "phase": phase, "podIP": addresses.first(), "podIPs": ips });
        self.object(node, &status)
    }

    fn object(&self, node: &str, status: &Value) -> Value {
        let port = |(name, protocol, number): &(String, String, u16)| json!({ "name": name, "protocol": protocol, "containerPort": number });
        let ports: Vec<_> = self.ports.iter().map(port).collect();
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "namespace": self.namespace, "name": self.name, "uid": self.uid(),
                "labels": self.labels,
            },
            "spec": {
                "nodeName": node,
                "containers": [{ "name": "main", "image": "example", "ports": ports }],
            },
            "status": status,
        })
    }

    fn uid(&self) -> String {
        format!("uid-{}-{}", self.namespace, self.name)
    }

    fn sandbox_name(&self) -> String {
        format!("{}-{}", self.namespace, self.name)
    }

    fn cni_args(&self) -> String {
        let (namespace, name, uid) = (&self.namespace, &self.name, self.uid());
        format!(
            "IgnoreUnknown=1;K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={name};K8S_POD_UID={uid}"
        )
    }
}

/// Gives the programs of the nodes the rights of the overlay besides those of the manifest.
fn grant(cluster: &Cluster) -> Result {
    let invalid = |why: &dyn std::fmt::Display| Error::new(format!("the overlay: {why}"));
    for document in serde_yaml_ng::Deserializer::from_str(RIGHTS) {
        let object = Value::deserialize(document).map_err(|why| invalid(&why))?;
        if object["kind"] == "ClusterRole" {
            let rules: Vec<_> =
                serde_json::from_value(object["rules"].clone()).map_err(|why| invalid(&why))?;
            cluster.api.grant(user(), None, &rules);
            return Ok(());
        }
    }
    Err(invalid(&"it has no ClusterRole"))
}
