//! Node objects of the size and shape that they have in real clusters.

use std::net::IpAddr;
use std::sync::LazyLock;

use serde_json::{Value, json};

/// Kubelet reports at most this many images (`nodeStatusMaxImages`).
const IMAGES: usize = 50;

/// When everything happened.
const TIME: &str = "2026-01-05T08:00:00Z";

/// The Node object of a kubelet that is ready, of about 17 KB: images, conditions, `managedFields`
/// and all the rest. `addresses` are its internal IPs, `pod_cidrs` are as in `spec.podCIDRs`.
pub fn real_node(name: &str, addresses: &[IpAddr], pod_cidrs: &[&str], machine_id: &str) -> Value {
    let mut list: Vec<Value> = addresses
        .iter()
        .map(|address| json!({ "type": "InternalIP", "address": address }))
        .collect();
    list.push(json!({ "type": "Hostname", "address": name }));
    let mut node = TEMPLATE.clone();
    let addresses: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    let annotations = &mut node["metadata"]["annotations"];
    annotations["alpha.kubernetes.io/provided-node-ip"] = addresses.join(",").into();
    node["metadata"]["name"] = name.into();
    node["metadata"]["labels"]["kubernetes.io/hostname"] = name.into();
    node["spec"]["providerID"] = format!("cloud:///zone-a/{name}").into();
    node["status"]["addresses"] = list.into();
    for field in ["machineID", "systemUUID"] {
        node["status"]["nodeInfo"][field] = machine_id.into();
    }
    let boot = format!("b007b007-0000-4000-8000-{:012x}", number(name));
    node["status"]["nodeInfo"]["bootID"] = boot.into();
    if let Some(first) = pod_cidrs.first() {
        node["spec"]["podCIDR"] = (*first).into();
        node["spec"]["podCIDRs"] = pod_cidrs.into();
    }
    node
}

/// What all nodes have.
static TEMPLATE: LazyLock<Value> = LazyLock::new(template);

fn template() -> Value {
    let capacity = json!({
        "cpu": "16", "memory": "65842380Ki", "pods": "110", "hugepages-1Gi": "0",
        "hugepages-2Mi": "0", "ephemeral-storage": "203070420Ki",
    });
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": metadata(),
        "spec": {},
        "status": {
            "capacity": capacity, "allocatable": capacity,
            "conditions": conditions(),
            "daemonEndpoints": { "kubeletEndpoint": { "Port": 10250 } },
            "nodeInfo": {
                "kernelVersion": "6.8.0-45-generic", "osImage": "Ubuntu 24.04.1 LTS",
                "containerRuntimeVersion": "containerd://2.0.1", "kubeletVersion": "v1.33.2",
                "kubeProxyVersion": "", "operatingSystem": "linux", "architecture": "amd64",
            },
            "images": (0..IMAGES).map(image).collect::<Vec<_>>(),
            "runtimeHandlers": [{ "name": "", "features": { "recursiveReadOnlyMounts": true } }],
        },
    })
}

/// A number that differs between names.
fn number(name: &str) -> u64 {
    let add = |sum: u64, byte| (sum * 31 + u64::from(byte)) & 0xffff_ffff_ffff;
    name.bytes().fold(7, add)
}

fn metadata() -> Value {
    json!({
        "labels": {
            "beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux",
            "node.kubernetes.io/instance-type": "m6i.4xlarge",
            "topology.kubernetes.io/region": "region-1", "topology.kubernetes.io/zone": "zone-a",
        },
        "annotations": {
            "node.alpha.kubernetes.io/ttl": "0",
            "volumes.kubernetes.io/controller-managed-attach-detach": "true",
        },
        "managedFields": [
            managed("kubelet", "", &["labels", "annotations"]),
            managed("kube-controller-manager", "", &["podCIDR", "podCIDRs", "taints"]),
            managed("kubelet", "status", &[
                "addresses", "allocatable", "capacity", "daemonEndpoints", "images", "nodeInfo",
            ]),
        ],
    })
}

/// An entry of `managedFields`, which name every condition and every one of its fields.
fn managed(manager: &str, subresource: &str, fields: &[&str]) -> Value {
    let mut tree = json!({});
    for field in fields {
        tree[format!("f:{field}")] = json!({ ".": {}, "f:value": {} });
    }
    for kind in ["DiskPressure", "MemoryPressure", "PIDPressure", "Ready"] {
        tree["f:conditions"][format!("k:{{\"type\":\"{kind}\"}}")] = json!({
            "f:lastHeartbeatTime": {}, "f:lastTransitionTime": {}, "f:message": {}, "f:reason": {},
            "f:status": {},
        });
    }
    json!({
        "manager": manager, "operation": "Update", "apiVersion": "v1", "time": TIME,
        "fieldsType": "FieldsV1", "fieldsV1": { "f:status": tree }, "subresource": subresource,
    })
}

fn conditions() -> Vec<Value> {
    let all = [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID"),
        ("Ready", "True", "KubeletReady"),
    ];
    let condition = |(kind, status, reason)| {
        json!({
            "type": kind, "status": status, "lastHeartbeatTime": TIME, "lastTransitionTime": TIME,
            "reason": reason, "message": format!("kubelet says so by the reason {reason}"),
        })
    };
    all.map(condition).to_vec()
}

/// An image has a name by digest and one by tag.
fn image(index: usize) -> Value {
    let repository = format!(
        "registry.example.com/platform/team-{}/service-{index:02}",
        index % 7
    );
    let digest = "0123456789abcdef".repeat(4);
    let tag = format!("2026.01.{index}-build.{:06}-linux-amd64", index * 7919);
    json!({
        "names": [format!("{repository}@sha256:{digest}"), format!("{repository}:{tag}")],
        "sizeBytes": 48_000_000 + index * 1_234_567,
    })
}
