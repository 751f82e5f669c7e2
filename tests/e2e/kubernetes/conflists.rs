//! The conflists of the manifests: they are valid, name their etcd, and a change of one is rolled
//! out.

use std::fs;

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use serde_json::Value;
use sha2::{Digest, Sha256};
use wire::conf::Conflist;

use crate::manifests::{build, conf, file, find, kind, program};

/// Overlays with a conflist, and whether Kubernetes is the registry.
const OVERLAYS: [(&str, bool); 6] = [
    ("overlays/api-server", true),
    ("overlays/chained", false),
    ("overlays/dual-stack", false),
    ("overlays/ipv6", false),
    ("overlays/kubeadm-etcd", false),
    ("overlays/network-policy", true),
];

/// Name and text of the only conflist.
pub(crate) fn conflist(objects: &[Value]) -> (String, String) {
    let maps: Vec<_> = objects
        .iter()
        .filter(|it| kind(it) == "ConfigMap")
        .collect();
    assert_eq!(maps.len(), 1);
    let name = maps[0]["metadata"]["name"].as_str().unwrap();
    let map: ConfigMap = find(objects, "ConfigMap", name);
    let text = map.data.unwrap().remove("10-flatland.conflist").unwrap();
    (name.to_owned(), text)
}

/// The annotation that says which conflist the pods are started with.
pub(crate) fn conflist_hash(objects: &[Value]) -> String {
    let set: DaemonSet = find(objects, "DaemonSet", "routed");
    let metadata = set.spec.unwrap().template.metadata.unwrap();
    metadata.annotations.unwrap()["flatland/conflist-sha256"].clone()
}

pub(crate) fn sha256(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

fn volume(objects: &[Value]) -> String {
    let set: DaemonSet = find(objects, "DaemonSet", "routed");
    let volumes = set.spec.unwrap().template.spec.unwrap().volumes.unwrap();
    let mut maps = volumes.into_iter().filter_map(|volume| volume.config_map);
    maps.next().unwrap().name
}

#[test]
fn conflists_of_manifests_are_valid() {
    let files = [
        ("kubernetes/flatland.yaml", true),
        ("kubernetes/flatland-etcd.yaml", false),
    ];
    let files = files.map(|(path, with_kubernetes)| (path, with_kubernetes, file(path)));
    let built = OVERLAYS.map(|(path, with_kubernetes)| (path, with_kubernetes, build(path)));
    for (path, with_kubernetes, objects) in files.into_iter().chain(built) {
        let (name, text) = conflist(&objects);
        let conflist =
            Conflist::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{path}: {error}"));
        let ipam = conflist.ipam();
        assert_eq!(ipam.kubernetes.is_some(), with_kubernetes, "{path}");
        assert_eq!(ipam.etcd.is_some(), !with_kubernetes, "{path}");
        // Nothing of it has to be changed for a cluster.
        assert_eq!(ipam.has_derived_pod_cidrs(), with_kubernetes, "{path}");
        let others: Vec<_> = conflist.others().collect();
        let is_chained = with_kubernetes || path.ends_with("/chained");
        let expected: &[&str] = if is_chained {
            &["portmap", "bandwidth"]
        } else {
            &[]
        };
        assert_eq!(others, expected, "{path}");
        assert_eq!(volume(&objects), name, "{path}");
    }
}

#[test]
fn hash_in_the_pod_template_is_that_of_the_conflist() {
    for path in ["kubernetes/flatland.yaml", "kubernetes/flatland-etcd.yaml"] {
        let objects = file(path);
        let (_, text) = conflist(&objects);
        assert_eq!(conflist_hash(&objects), sha256(&text), "{path}");
    }
}

/// kustomize names the ConfigMap after its content, and the pod template has the name.
#[test]
fn changed_conflist_of_an_overlay_changes_the_pod_template() {
    let folder = tempfile::tempdir().unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .args([conf("kubernetes"), conf("overlays"), conf("components")])
        .arg(folder.path())
        .status();
    assert!(copied.unwrap().success());
    let build = |path: &str| {
        let mut kubectl = program("kubectl");
        let output = kubectl
            .arg("kustomize")
            .arg(folder.path().join(path))
            .output();
        crate::manifests::objects(&String::from_utf8(output.unwrap().stdout).unwrap())
    };
    for (path, _) in OVERLAYS {
        let before = volume(&build(path));
        let file = folder.path().join(path).join("10-flatland.conflist");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("\"ipMasq\": true", "\"ipMasq\": false")).unwrap();
        let after = build(path);
        assert_ne!(volume(&after), before, "{path}");
        assert_eq!(volume(&after), conflist(&after).0, "{path}");
    }
}

fn endpoint(objects: &[Value]) -> String {
    let (_, text) = conflist(objects);
    let conflist = Conflist::parse(text.as_bytes()).unwrap();
    conflist.ipam().etcd.as_ref().unwrap().endpoints[0].clone()
}

#[test]
fn conflist_of_the_etcd_overlay_names_its_endpoint() {
    for (flatland, etcd) in [
        (file("kubernetes/flatland-etcd.yaml"), "kubernetes/etcd"),
        (build("overlays/dual-stack"), "overlays/etcd-three"),
        (build("overlays/chained"), "kubernetes/etcd"),
        (build("overlays/ipv6"), "overlays/etcd-ipv6"),
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
        assert_eq!(endpoint(&flatland), format!("https://{address}:{port}"));
    }
}
