//! The overlay and the component that turn network policies on: consistent with the rest, and their
//! container works with the rights that it has.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use lab::apiserver::{ApiServer, real_node};
use lab::{DEADLINE, Error, Families, Lab, Result, wait_until};
use serde_json::{Value, json};
use wire::conf::Conflist;
use wire::netns::Netns;

use crate::conflists::conflist;
use crate::manifests::{build, conf, file, find, kind, objects, program};
use crate::node::{Kubelet, build_image};

const OVERLAY: &str = "overlays/network-policy";
const COMPONENT: &str = "components/network-policy";
const USER: &str = "system:serviceaccount:flatland:routed";
const TOKEN: &str = "token-1";
const CONTAINER: &str = "flatland-policy-1";

/// The pod of `routed`, as objects have it.
fn pod(objects: &[Value]) -> PodSpec {
    let set: k8s_openapi::api::apps::v1::DaemonSet = find(objects, "DaemonSet", "routed");
    set.spec.unwrap().template.spec.unwrap()
}

fn container(pod: &PodSpec, name: &str) -> Container {
    let mut found = pod.containers.iter().filter(|it| it.name == name);
    found.next().unwrap_or_else(|| panic!("no {name}")).clone()
}

/// An overlay for an etcd with the component, as docs/policy.md says to write it.
fn with_etcd() -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .args([conf("kubernetes"), conf("overlays"), conf("components")])
        .arg(folder.path())
        .status();
    assert!(copied.unwrap().success());
    let own = folder.path().join("own");
    std::fs::create_dir(&own).unwrap();
    let kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n\
                         resources: [../overlays/kubeadm-etcd]\n\
                         components: [../components/network-policy]\n";
    std::fs::write(own.join("kustomization.yaml"), kustomization).unwrap();
    let output = program("kubectl").arg("kustomize").arg(&own).output();
    let output = output.expect("kubectl is here: run `make setup`");
    assert!(output.status.success(), "{output:?}");
    objects(&String::from_utf8(output.stdout).unwrap())
}

#[test]
fn container_of_policies_is_like_that_of_the_daemon() {
    for objects in [build(OVERLAY), with_etcd()] {
        let pod = pod(&objects);
        assert_eq!(pod.containers.len(), 2);
        // Also where the registry is an etcd: policies are in the API server.
        assert_eq!(pod.automount_service_account_token, Some(true));
        let (daemon, policy) = (
            container(&pod, "routed"),
            container(&pod, "flatland-policy"),
        );
        assert_eq!(policy.image, daemon.image);
        assert_eq!(policy.image_pull_policy, daemon.image_pull_policy);
        assert_eq!(policy.security_context, daemon.security_context);
        let ports = [&daemon, &policy].map(|it| {
            let probe = it.liveness_probe.clone().unwrap();
            assert!(probe.timeout_seconds > Some(5), "{probe:?}");
            serde_json::to_value(probe.http_get.unwrap().port).unwrap()
        });
        assert_eq!(ports, [json!(9470), json!(9472)]);
        let probe = policy.readiness_probe.unwrap();
        let command = probe.exec.unwrap().command.unwrap();
        assert_eq!(command, ["/flatland-policy", "status", "--ready"]);
        assert_eq!(policy.command.unwrap()[2], daemon.command.unwrap()[2]);
        let (mounts, own) = (daemon.volume_mounts.unwrap(), policy.volume_mounts.unwrap());
        assert!(own.iter().all(|mount| mounts.contains(mount)), "{own:?}");
        assert!(own.iter().any(|mount| mount.mount_path == "/run/flatland"));
    }
}

#[test]
fn rights_of_policies_are_to_read_four_kinds() {
    let rights = file(&format!("{COMPONENT}/rights.yaml"));
    let role: ClusterRole = find(&rights, "ClusterRole", "flatland-policy");
    let read_only = |group: &str, resources: &[&str]| json!({ "apiGroups": [group], "resources": resources, "verbs": ["get", "list", "watch"] });
    assert_eq!(
        serde_json::to_value(role.rules).unwrap(),
        json!([
            read_only("", &["pods", "namespaces"]),
            read_only("networking.k8s.io", &["networkpolicies"]),
            read_only("policy.networking.k8s.io", &["clusternetworkpolicies"]),
        ])
    );
    for objects in [build(OVERLAY), with_etcd()] {
        let binding: ClusterRoleBinding = find(&objects, "ClusterRoleBinding", "flatland-policy");
        assert_eq!(binding.role_ref.name, "flatland-policy");
        let account = binding.subjects.unwrap().remove(0);
        assert_eq!(Some(account.name), pod(&objects).service_account_name);
        assert_eq!(account.namespace.as_deref(), Some("flatland"));
        let granted: ClusterRole = find(&objects, "ClusterRole", "flatland-policy");
        assert_eq!(
            Some(granted.rules),
            Some(find::<ClusterRole>(&rights, "ClusterRole", "flatland-policy").rules)
        );
    }
    let names = |objects: Vec<Value>| {
        let roles = objects.into_iter().filter(|it| kind(it) == "ClusterRole");
        roles
            .map(|it| it["metadata"]["name"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(with_etcd()), ["flatland-policy"]);
    assert_eq!(names(build(OVERLAY)), ["flatland", "flatland-policy"]);
}

#[test]
fn conflist_of_the_overlay_switches_policies_on() {
    let (_, text) = conflist(&build(OVERLAY));
    let with = Conflist::parse(text.as_bytes()).unwrap();
    assert!(with.plugin().policy.is_some());
    // Nothing else is different.
    let mut json: Value = serde_json::from_str(&text).unwrap();
    json["plugins"][0].as_object_mut().unwrap().remove("policy");
    let (_, plain) = conflist(&file("kubernetes/flatland.yaml"));
    assert_eq!(json, serde_json::from_str::<Value>(&plain).unwrap());
}

/// With one capability, a root that is read-only, and the account of the pod.
#[test]
fn container_of_policies_works_with_its_rights() -> Result {
    let builder = Lab::builder().nodes(1).etcd(0).families(Families::V4);
    let lab = builder.start()?;
    let machine = lab.add_external_machine("api", 250)?;
    let netns = Netns::open(Path::new(&format!("/proc/{}/ns/net", machine.pid())))
        .map_err(|error| Error::new(error.to_string()))?;
    let address = SocketAddr::new(Ipv4Addr::new(192, 168, 1, 250).into(), 6443);
    let api = ApiServer::start(netns, address)?;
    api.add_token(TOKEN, USER);
    let overlay = build(OVERLAY);
    for role in ["flatland", "flatland-policy"] {
        let role: ClusterRole = find(&overlay, "ClusterRole", role);
        api.grant(USER, None, &role.rules.unwrap());
    }
    let node = lab.node(1);
    let machine_id = node.read("/etc/machine-id")?;
    api.put(&real_node(
        node.name(),
        node.addresses(),
        &["10.244.1.0/24"],
        machine_id.trim(),
    ))?;
    let folder = tempfile::tempdir().map_err(|error| Error::new(error.to_string()))?;
    let image = build_image(node, folder.path())?;
    let mut pod = pod(&overlay);
    pod.containers.retain(|it| it.name == "flatland-policy");
    let mut kubelet = Kubelet::start(node, &image, pod, &conflist(&overlay).1)?;
    kubelet.give_account(address, TOKEN, &api.ca()?)?;
    let client = kubelet.main(CONTAINER)?;
    wait_until("rules of policies", DEADLINE, || {
        let probed = kubelet.probe_readiness(CONTAINER);
        probed.is_ok_and(|output| output.status.success())
    })
    .map_err(|error| error.doing(client.log()))?;
    let health = "http://127.0.0.1:9472/healthz";
    node.run(&["busybox", "wget", "-qO-", health])?;
    node.run(&["nft", "list", "table", "inet", "flatland-policy"])?;
    let rules = kubelet.exec(CONTAINER, &["/flatland-policy", "rules"])?;
    assert!(rules.clone().success().is_ok(), "{rules:?}");

    // What a kubectl delete leaves: the table and the files, which uninstall takes along.
    let wait = node.routed_command(&["uninstall"])?;
    assert_eq!(wait.status.code(), Some(75), "{}", wait.stderr);
    kubelet.end(CONTAINER, &client)?;
    node.routed_command(&["uninstall"])?.success()?;
    let table = node.run(&["nft", "list", "table", "inet", "flatland-policy"]);
    assert!(table.is_err(), "{}", client.log());
    Ok(())
}
