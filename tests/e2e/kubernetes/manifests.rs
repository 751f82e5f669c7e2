//! The Kubernetes manifests, built with kustomize: valid types of the Kubernetes API, and
//! consistent with each other.

use std::path::{Path, PathBuf};
use std::process::Command;

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;

/// The manifests below `conf`, for `kubectl apply -f`.
pub(crate) const FILES: [&str; 5] = [
    "kubernetes/flatland.yaml",
    "kubernetes/namespace.yaml",
    "kubernetes/flatland-etcd.yaml",
    "kubernetes/etcd.yaml",
    "kubernetes/uninstall.yaml",
];

/// The kustomizations below `conf`, for `kubectl apply -k`.
pub(crate) const KUSTOMIZATIONS: [&str; 14] = [
    "kubernetes",
    "kubernetes/etcd",
    "overlays/api-server",
    "overlays/chained",
    "overlays/crio",
    "overlays/dual-stack",
    "overlays/etcd",
    "overlays/etcd-ipv6",
    "overlays/etcd-three",
    "overlays/ipv6",
    "overlays/k3s",
    "overlays/kubeadm-etcd",
    "overlays/network-policy",
    "overlays/without-conflist",
];

/// kubectl or helm, as `make setup` unpacks them, or of PATH.
pub(crate) fn program(name: &str) -> Command {
    let unpacked = lab::unpacked("bin").join(name);
    Command::new(if unpacked.is_file() {
        unpacked
    } else {
        name.into()
    })
}

pub(crate) fn conf(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../conf")
        .join(path)
}

/// The objects in a stream of YAML documents.
pub(crate) fn objects(text: &str) -> Vec<Value> {
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    documents
        .map(|document| Value::deserialize(document).unwrap())
        // Between two separators there may be a comment only.
        .filter(|object| !object.is_null())
        .collect()
}

pub(crate) fn file(path: &str) -> Vec<Value> {
    objects(&std::fs::read_to_string(conf(path)).unwrap())
}

/// The objects that `kubectl apply -k` would apply. There are no warnings, such as of fields that
/// kustomize is about to drop.
pub(crate) fn build(path: &str) -> Vec<Value> {
    let output = program("kubectl").arg("kustomize").arg(conf(path)).output();
    let output = output.expect("kubectl is here: run `make setup`");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && errors.is_empty(),
        "{path}: {errors}"
    );
    objects(&String::from_utf8(output.stdout).unwrap())
}

pub(crate) fn kind(object: &Value) -> &str {
    object["kind"].as_str().unwrap_or_default()
}

/// The field or type of the object that the API would refuse or drop.
pub(crate) fn flaw<T: DeserializeOwned + Serialize>(object: &Value) -> Option<String> {
    let understood =
        serde_json::from_value::<T>(object.clone()).and_then(|typed| serde_json::to_value(&typed));
    let name = &object["metadata"]["name"];
    match understood {
        Ok(understood) if understood == *object => None,
        Ok(understood) => Some(format!("{name}: {object} is understood as {understood}")),
        Err(error) => Some(format!("{name}: {error}")),
    }
}

/// The object as the API's type, which must keep every field.
fn typed<T: DeserializeOwned + Serialize>(object: &Value) -> T {
    assert_eq!(flaw::<T>(object), None);
    serde_json::from_value(object.clone()).unwrap()
}

pub(crate) fn find<T: DeserializeOwned + Serialize>(
    objects: &[Value],
    kind_name: &str,
    name: &str,
) -> T {
    let is_it = |object: &&Value| kind(object) == kind_name && object["metadata"]["name"] == name;
    let mut all = objects.iter().filter(is_it);
    typed(
        all.next()
            .unwrap_or_else(|| panic!("no {kind_name} {name}")),
    )
}

#[test]
fn objects_of_manifests_match_the_kubernetes_api_types() {
    let built = KUSTOMIZATIONS.iter().flat_map(|path| build(path));
    let files = FILES.iter().flat_map(|path| file(path));
    for object in built.chain(files) {
        match kind(&object) {
            "Namespace" => drop(typed::<Namespace>(&object)),
            "ServiceAccount" => drop(typed::<ServiceAccount>(&object)),
            "ConfigMap" => drop(typed::<ConfigMap>(&object)),
            "DaemonSet" => drop(typed::<DaemonSet>(&object)),
            "Service" => drop(typed::<Service>(&object)),
            "ClusterRole" => drop(typed::<ClusterRole>(&object)),
            "ClusterRoleBinding" => drop(typed::<ClusterRoleBinding>(&object)),
            "ValidatingAdmissionPolicy" => drop(typed::<ValidatingAdmissionPolicy>(&object)),
            "ValidatingAdmissionPolicyBinding" => {
                drop(typed::<ValidatingAdmissionPolicyBinding>(&object));
            }
            other => panic!("{other:?} is not expected: {object}"),
        }
    }
}

/// Without their conflists, and the hash of them.
fn without_conflist(mut objects: Vec<Value>) -> Vec<Value> {
    objects.retain(|object| kind(object) != "ConfigMap");
    for set in objects.iter_mut().filter(|it| kind(it) == "DaemonSet") {
        let metadata = &mut set["spec"]["template"]["metadata"];
        metadata.as_object_mut().unwrap().remove("annotations");
        let spec = "/spec/template/spec";
        for list in [
            "volumes",
            "containers/0/env",
            "containers/0/volumeMounts",
            "initContainers/0/volumeMounts",
        ] {
            if let Some(Value::Array(items)) = set.pointer_mut(&format!("{spec}/{list}")) {
                items.sort_by_key(|item| format!("{} {}", item["name"], item["mountPath"]));
            }
        }
    }
    objects.sort_by_key(|object| format!("{} {}", kind(object), object["metadata"]["name"]));
    objects
}

#[test]
fn bases_of_the_overlays_are_the_manifests() {
    for (manifest, base) in [
        ("kubernetes/flatland.yaml", "kubernetes"),
        ("kubernetes/flatland.yaml", "overlays/without-conflist"),
        ("kubernetes/flatland-etcd.yaml", "overlays/etcd"),
        ("kubernetes/etcd.yaml", "kubernetes/etcd"),
    ] {
        assert_eq!(
            without_conflist(build(base)),
            without_conflist(file(manifest)),
            "{base}"
        );
    }
    assert_eq!(
        file("kubernetes/namespace.yaml")[0],
        file("kubernetes/flatland.yaml")[0]
    );
}

/// The folders of the node that a container has, and where.
fn folders(objects: &[Value], container: &str) -> Vec<(String, String)> {
    let set: DaemonSet = find(objects, "DaemonSet", "routed");
    let pod = set.spec.unwrap().template.spec.unwrap();
    let volumes = pod.volumes.unwrap();
    let path = |name: &str| {
        let volume = volumes.iter().find(|volume| volume.name == name);
        volume.and_then(|volume| Some(volume.host_path.as_ref()?.path.clone()))
    };
    let init = pod.init_containers.unwrap();
    let mut all = init.into_iter().chain(pod.containers);
    let container = all.find(|it| it.name == container).unwrap();
    let mounts = container.volume_mounts.unwrap().into_iter();
    mounts
        .filter_map(|mount| Some((path(&mount.name)?, mount.mount_path)))
        .collect()
}

/// Only there: a runtime makes the folders of mounts that are missing.
#[test]
fn overlays_mount_other_folders_of_the_node() {
    let own = |path: &str, at: &str| (path.to_owned(), at.to_owned());
    for (overlay, container, expected) in [
        ("overlays/crio", "routed", own("/etc/crio", "/etc/crio")),
        (
            "overlays/k3s",
            "routed",
            own("/var/lib/rancher/k3s/agent/etc/cni/net.d", "/etc/cni/net.d"),
        ),
        (
            "overlays/k3s",
            "install",
            own("/var/lib/rancher/k3s/data/cni", "/host/opt/cni/bin"),
        ),
    ] {
        assert!(!folders(&build("kubernetes"), container).contains(&expected));
        let found = folders(&build(overlay), container);
        assert!(found.contains(&expected), "{overlay}: {found:?}");
        let run = own("/run/flatland", "/run/flatland");
        assert_eq!(found.contains(&run), container == "routed", "{overlay}");
    }
}
