//! `flatland.yaml` as it is, on nodes whose Node objects are in the API server for tests.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use k8s_openapi::api::rbac::v1::ClusterRole;
use lab::apiserver::{ApiServer, real_node};
use lab::{DEADLINE, Error, Families, Lab, Machine, Process, Result, wait_until};
use serde_json::Value;
use wire::netns::Netns;

use crate::conflists::conflist;
use crate::manifests::{file, find};
use crate::node::{Kubelet, build_image, pod};

const MANIFEST: &str = "kubernetes/flatland.yaml";
const USER: &str = "system:serviceaccount:flatland:routed";
const TOKEN: &str = "token-1";
const HOST: u8 = 250;

/// An API server on a machine of its own, with the rights of the manifest for `routed`.
fn api_server(lab: &mut Lab) -> Result<(ApiServer, Machine, SocketAddr)> {
    let machine = lab.add_external_machine("api", HOST)?;
    let netns = Netns::open(Path::new(&format!("/proc/{}/ns/net", machine.pid())))
        .map_err(|error| Error::new(error.to_string()))?;
    let address = SocketAddr::new(Ipv4Addr::new(192, 168, 1, HOST).into(), 6443);
    let api = ApiServer::start(netns, address)?;
    api.add_token(TOKEN, USER);
    let role: ClusterRole = find(&file(MANIFEST), "ClusterRole", "flatland");
    api.grant(USER, None, &role.rules.unwrap());
    Ok((api, machine, address))
}

/// The condition `FlatlandReady` of a node, as the API server has it.
fn condition(api: &ApiServer, node: &str) -> Option<Value> {
    let object = api.get("nodes", "", node)?;
    let conditions = object["status"]["conditions"].as_array()?;
    let mut conditions = conditions.iter();
    conditions.find(|it| it["type"] == "FlatlandReady").cloned()
}

/// Runs the manifest's pod on each node, until all are ready.
fn start<'a>(
    lab: &'a Lab,
    api: &ApiServer,
    address: SocketAddr,
) -> Result<Vec<(Kubelet<'a>, Process)>> {
    let folder = tempfile::tempdir().map_err(|error| Error::new(error.to_string()))?;
    let image = build_image(lab.node(1), folder.path())?;
    let (_, conflist) = conflist(&file(MANIFEST));
    let mut running = Vec::new();
    for (node, number) in lab.nodes().iter().zip(1..) {
        let machine = node.read("/etc/machine-id")?;
        let cidr = format!("10.244.{number}.0/24");
        let object = real_node(node.name(), node.addresses(), &[&cidr], machine.trim());
        api.put(&object)?;
        node.run(&["rm", "-r", "/opt/cni/bin", "/etc/cni"])?;
        let pod = pod("flatland.yaml", "routed");
        let mut kubelet = Kubelet::start(node, &image, pod, &conflist)?;
        kubelet.give_account(address, TOKEN, &api.ca()?)?;
        kubelet.init()?.success()?;
        let client = kubelet.main("routed-1")?;
        running.push((kubelet, client));
    }
    for (kubelet, client) in &running {
        wait_ready(kubelet, client, "routed-1")?;
    }
    Ok(running)
}

fn wait_ready(kubelet: &Kubelet<'_>, client: &Process, name: &str) -> Result {
    wait_until("a node that is ready", DEADLINE, || {
        let probed = kubelet.probe_readiness(name);
        probed.is_ok_and(|output| output.status.success())
    })
    .map_err(|error| error.doing(client.log()))
}

#[test]
fn default_manifest_makes_a_network_without_an_edit() -> Result {
    let builder = Lab::builder().nodes(2).etcd(0).families(Families::V4);
    let mut lab = builder.start()?;
    let (api, _machine, address) = api_server(&mut lab)?;
    let running = start(&lab, &api, address)?;
    for (node, (_, client)) in lab.nodes().iter().zip(&running) {
        assert!(node.ready(), "{}", client.log());
        // The node has neither portmap nor bandwidth; its pods can do without them.
        let installed = node.read("/etc/cni/net.d/10-flatland.conflist")?;
        assert!(!installed.contains("portmap"), "{installed}");
        wait_until("the condition", DEADLINE, || {
            condition(&api, node.name()).is_some_and(|it| it["status"] == "True")
        })
        .map_err(|error| error.doing(client.log()))?;
        // The token is on the node's disk only where its kubelet keeps it.
        let folders = ["/etc", "/run", "/opt/cni", "/var/lib/flatland"];
        let found = node.run_with(&[&["grep", "-rl", TOKEN], &folders[..]].concat(), b"")?;
        assert_eq!(found.stdout, "");
    }
    lab.wait_routes()?;
    let [one, two] = [lab.node(1), lab.node(2)];
    let (a, b) = (one.add_pod("a")?, two.add_pod("b")?);
    assert!(a.addresses()[0].to_string().starts_with("10.244.1."));
    a.run(&["ping", "-c1", "-W5", &b.addresses()[0].to_string()])?;
    a.delete()?;
    b.delete()
}

/// A new pod of the DaemonSet is ready, so that the next node is done: the API server serves the
/// rollout, and is out of reach of the nodes.
#[test]
fn rollout_goes_on_while_the_registry_is_out_of_reach() -> Result {
    let builder = Lab::builder().nodes(2).etcd(0).families(Families::V4);
    let mut lab = builder.start()?;
    let (api, _machine, address) = api_server(&mut lab)?;
    let running = start(&lab, &api, address)?;
    lab.wait_routes()?;
    api.stop();
    for (kubelet, client) in &running {
        kubelet.end("routed-1", client)?;
        kubelet.init()?.success()?;
        let client = kubelet.main("routed-2")?;
        wait_ready(kubelet, &client, "routed-2")?;
    }
    let (a, b) = (lab.node(1).add_pod("a")?, lab.node(2).add_pod("b")?);
    a.run(&["ping", "-c1", "-W5", &b.addresses()[0].to_string()])?;
    a.delete()?;
    b.delete()
}
