//! The Kubernetes manifests, built with kustomize: valid types of the Kubernetes API, and
//! consistent with each other.

use std::path::{Path, PathBuf};
use std::process::Command;

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{ConfigMap, Container, Namespace, Service, ServiceAccount};
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;
use wire::conf::Conflist;

/// The kustomizations below `conf`.
pub(crate) const KUSTOMIZATIONS: [&str; 9] = [
    "kubernetes",
    "kubernetes/etcd",
    "overlays/chained",
    "overlays/crio",
    "overlays/dual-stack",
    "overlays/etcd-ipv6",
    "overlays/etcd-three",
    "overlays/ipv6",
    "overlays/kubeadm-etcd",
];

pub(crate) fn conf(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../conf")
        .join(path)
}

/// The objects in a stream of YAML documents.
fn objects(text: &str) -> Vec<Value> {
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    documents
        .map(|document| Value::deserialize(document).unwrap())
        .collect()
}

pub(crate) fn file(path: &str) -> Vec<Value> {
    objects(&std::fs::read_to_string(conf(path)).unwrap())
}

/// The objects that `kubectl apply -k` would apply.
fn build(path: &str) -> Vec<Value> {
    let output = Command::new("kubectl")
        .arg("kustomize")
        .arg(conf(path))
        .output();
    let output = output.expect("kubectl is here: run `make setup`");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{path}: {errors}");
    objects(&String::from_utf8(output.stdout).unwrap())
}

fn kind(object: &Value) -> &str {
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
    let files = ["kubernetes/flatland.yaml", "kubernetes/etcd.yaml"];
    let files = files.iter().flat_map(|path| file(path));
    let mut count = 0;
    for object in built.chain(files) {
        match kind(&object) {
            "Namespace" => drop(typed::<Namespace>(&object)),
            "ServiceAccount" => drop(typed::<ServiceAccount>(&object)),
            "ConfigMap" => drop(typed::<ConfigMap>(&object)),
            "DaemonSet" => drop(typed::<DaemonSet>(&object)),
            "Service" => drop(typed::<Service>(&object)),
            other => panic!("{other:?} is not expected: {object}"),
        }
        count += 1;
    }
    assert_eq!(count, 6 * 4 + 3 * 2 + 6);
}

#[test]
fn conflists_of_manifests_are_valid() {
    let with_conflist = KUSTOMIZATIONS
        .iter()
        .filter(|path| !path.contains("etcd-") && !path.ends_with("/etcd"));
    for path in with_conflist {
        let map: ConfigMap = find(&build(path), "ConfigMap", "flatland");
        let data = map.data.unwrap();
        let text = &data["10-flatland.conflist"];
        let conflist =
            Conflist::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(conflist.ipam().etcd.is_some(), "{path}");
    }
}

fn endpoint(objects: &[Value]) -> String {
    let map: ConfigMap = find(objects, "ConfigMap", "flatland");
    let conflist = Conflist::parse(map.data.unwrap()["10-flatland.conflist"].as_bytes()).unwrap();
    conflist.ipam().etcd.as_ref().unwrap().endpoints[0].clone()
}

#[test]
fn conflist_of_the_etcd_overlay_names_its_endpoint() {
    for (flatland, etcd) in [
        ("kubernetes", "kubernetes/etcd"),
        ("overlays/dual-stack", "overlays/etcd-three"),
        ("overlays/chained", "kubernetes/etcd"),
        ("overlays/ipv6", "overlays/etcd-ipv6"),
    ] {
        let service: Service = find(&build(etcd), "Service", "etcd");
        let spec = service.spec.unwrap();
        let address = spec.cluster_ip.unwrap();
        let address = if address.contains(':') {
            format!("[{address}]")
        } else {
            address
        };
        let port = spec.ports.unwrap()[0].port;
        assert_eq!(
            endpoint(&build(flatland)),
            format!("https://{address}:{port}")
        );
    }
}

/// Only there: a runtime makes the folders of mounts that are missing.
#[test]
fn configuration_of_crio_is_mounted_by_its_overlay() {
    let mount = |objects: &[Value]| {
        let set: DaemonSet = find(objects, "DaemonSet", "routed");
        let pod = set.spec.unwrap().template.spec.unwrap();
        let volumes = pod.volumes.unwrap();
        let volume = volumes.iter().find(|volume| volume.name == "crio")?;
        assert_eq!(volume.host_path.as_ref()?.path, "/etc/crio");
        let mounts = pod.containers[0].volume_mounts.clone()?;
        assert!(mounts.iter().any(|mount| mount.name == "run"));
        let mount = mounts.into_iter().find(|mount| mount.name == "crio")?;
        Some((mount.mount_path, mount.read_only))
    };
    assert_eq!(mount(&build("kubernetes")), None);
    let expected = ("/etc/crio".to_owned(), Some(true));
    assert_eq!(mount(&build("overlays/crio")), Some(expected));
}

fn containers() -> [Container; 2] {
    let set: DaemonSet = find(&file("kubernetes/flatland.yaml"), "DaemonSet", "routed");
    let pod = set.spec.unwrap().template.spec.unwrap();
    assert_eq!(pod.host_network, Some(true));
    assert_eq!(pod.automount_service_account_token, Some(false));
    [
        pod.init_containers.unwrap().remove(0),
        pod.containers.into_iter().next().unwrap(),
    ]
}

#[test]
fn containers_have_only_the_capabilities_they_need() {
    for container in containers() {
        let rights = container.security_context.unwrap();
        let capabilities = rights.capabilities.unwrap();
        assert_eq!(capabilities.drop, Some(vec!["ALL".to_owned()]));
        assert_eq!(capabilities.add, Some(vec!["NET_ADMIN".to_owned()]));
        assert_eq!(rights.privileged, Some(false));
        assert_eq!(rights.allow_privilege_escalation, Some(false));
        assert_eq!(rights.read_only_root_filesystem, Some(true));
    }
}

/// The probe ends by itself, with an explanation, before kubelet ends it.
#[test]
fn readiness_probe_is_the_command_that_explains() {
    let [_, routed] = containers();
    let probe = routed.readiness_probe.unwrap();
    let command = probe.exec.unwrap().command.unwrap();
    assert_eq!(command, ["/routed", "status", "--ready"]);
    assert!(
        probe.timeout_seconds > Some(5),
        "{:?}",
        probe.timeout_seconds
    );
    assert!(
        probe.period_seconds >= Some(10),
        "{:?}",
        probe.period_seconds
    );
}

#[test]
fn image_tag_is_the_version_of_the_workspace() {
    for container in containers() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            container.image.unwrap(),
            format!("localhost/flatland:{version}")
        );
    }
}
