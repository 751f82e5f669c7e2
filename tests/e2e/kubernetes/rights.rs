//! What the manifests let their containers do, on the node and at the API server.

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Container, PodSpec, Service};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use serde_json::json;

use crate::manifests::{file, find};

const KINDS: [&str; 2] = ["kubernetes/flatland.yaml", "kubernetes/flatland-etcd.yaml"];

fn pod(path: &str, name: &str) -> PodSpec {
    let set: DaemonSet = find(&file(path), "DaemonSet", name);
    let pod = set.spec.unwrap().template.spec.unwrap();
    assert_eq!(pod.host_network, Some(true));
    pod
}

fn containers(path: &str) -> Vec<Container> {
    let pod = pod(path, "routed");
    let init = pod.init_containers.unwrap();
    init.into_iter().chain(pod.containers).collect()
}

fn all_containers() -> impl Iterator<Item = (Container, &'static [&'static str])> {
    let routed = KINDS.into_iter().flat_map(containers);
    let uninstall = pod("kubernetes/uninstall.yaml", "uninstall").containers;
    let uninstall = uninstall.into_iter();
    let more: &[&str] = &["NET_ADMIN", "NET_RAW", "SYS_CHROOT"];
    let routed = routed.map(|it| (it, &["NET_ADMIN"][..]));
    routed.chain(uninstall.map(move |it| (it, more)))
}

#[test]
fn containers_have_only_the_capabilities_they_need() {
    for (container, expected) in all_containers() {
        let rights = container.security_context.unwrap();
        let capabilities = rights.capabilities.unwrap();
        assert_eq!(capabilities.drop, Some(vec!["ALL".to_owned()]));
        assert_eq!(capabilities.add.unwrap(), expected);
        assert_eq!(rights.privileged, Some(false));
        assert_eq!(rights.allow_privilege_escalation, Some(false));
        assert_eq!(rights.read_only_root_filesystem, Some(true));
    }
}

#[test]
fn image_tag_is_the_version_of_the_workspace() {
    for (container, _) in all_containers() {
        let version = env!("CARGO_PKG_VERSION");
        let expected = format!("localhost/flatland:{version}");
        assert_eq!(container.image.unwrap(), expected);
    }
}

/// The probe ends by itself, with an explanation, before kubelet ends it.
#[test]
fn readiness_probe_is_the_command_that_explains() {
    let routed = KINDS.map(|path| pod(path, "routed"));
    let uninstall = pod("kubernetes/uninstall.yaml", "uninstall");
    let ready = ["/routed", "status", "--ready"];
    let check = ["/routed", "uninstall", "--check"];
    let expected = [ready, ready, check];
    for (mut pod, expected) in routed.into_iter().chain([uninstall]).zip(expected) {
        let probe = pod.containers.remove(0).readiness_probe.unwrap();
        let command = probe.exec.as_ref().unwrap().command.as_ref().unwrap();
        assert_eq!(command[..3], expected);
        assert!(probe.timeout_seconds > Some(5), "{probe:?}");
        assert!(probe.period_seconds >= Some(10), "{probe:?}");
    }
}

#[test]
fn only_the_kubernetes_registry_has_a_token_and_rights() {
    let tokens = KINDS.map(|path| pod(path, "routed").automount_service_account_token);
    assert_eq!(tokens, [Some(true), Some(false)]);
    let objects = file(KINDS[0]);
    let granted: ClusterRole = find(&objects, "ClusterRole", "flatland");
    let rules = serde_json::to_value(granted.rules.unwrap()).unwrap();
    let rule = |resource: &str, verbs: &[&str]| json!({ "apiGroups": [""], "resources": [resource], "verbs": verbs });
    let mut identity = rule("namespaces", &["get"]);
    identity["resourceNames"] = json!(["kube-system"]);
    let expected = json!([
        rule("nodes", &["get", "list", "watch"]),
        identity,
        rule("nodes/status", &["patch"]),
        rule("events", &["create", "patch"]),
    ]);
    assert_eq!(rules, expected);
    let binding: ClusterRoleBinding = find(&objects, "ClusterRoleBinding", "flatland");
    let subjects = serde_json::to_value(binding.subjects).unwrap();
    let account = json!({ "kind": "ServiceAccount", "name": "routed", "namespace": "flatland" });
    assert_eq!(subjects, json!([account]));
}

/// A member of etcd that does not answer gets no new connections, and does not wait for that to find
/// the others: it has their own addresses.
#[test]
fn etcd_service_leaves_out_members_that_are_not_ready() {
    let objects = file("kubernetes/etcd.yaml");
    let service: Service = find(&objects, "Service", "etcd");
    let spec = service.spec.unwrap();
    assert_eq!(spec.publish_not_ready_addresses, Some(false));
    let container = pod("kubernetes/etcd.yaml", "etcd").containers.remove(0);
    let probe = container.readiness_probe.unwrap().http_get.unwrap();
    assert_eq!(probe.path.as_deref(), Some("/readyz"));
    let mut names = container.env.iter().flatten().map(|it| it.name.as_str());
    assert!(names.any(|it| it == "INITIAL_CLUSTER"));
}
