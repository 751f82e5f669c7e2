//! Runs the DaemonSet's pod on a node of the lab, as kubelet does.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Container, EnvVar, PodSpec, Volume};
use lab::containers::{Containerd, HostContainer, Mount};
use lab::{CommandOutput, Error, Node, Process, Result};
use serde_json::Value;

use crate::manifests::{conf, file, find};

/// The image archive on a node.
const ARCHIVE: &str = "/opt/flatland/flatland.tar";
/// The folder of volumes that are not part of the node.
const VOLUMES: &str = "/var/lib/kubelet";

/// The pod of a DaemonSet in a manifest below `conf/kubernetes`.
pub(crate) fn pod(manifest: &str, name: &str) -> PodSpec {
    let set: DaemonSet = find(&file(&format!("kubernetes/{manifest}")), "DaemonSet", name);
    set.spec.unwrap().template.spec.unwrap()
}

/// Builds the image of the programs under test into `folder`, as `make image` does.
pub(crate) fn build_image(node: &Node, folder: &Path) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| Error::new(error.to_string());
    fs::create_dir_all(folder.join("dist/bin")).map_err(failed)?;
    for (program, path) in [
        ("routed", "/opt/flatland/routed"),
        ("flatland-policy", "/opt/flatland/flatland-policy"),
        ("flatland", "/opt/cni/bin/flatland"),
        ("flatland-ipam", "/opt/cni/bin/flatland-ipam"),
        ("flatland-claim", "/opt/cni/bin/flatland-claim"),
    ] {
        let to = folder.join("dist/bin").join(program);
        fs::copy(node.path(path), to).map_err(failed)?;
    }
    fs::write(
        folder.join("policy.json"),
        r#"{"default":[{"type":"insecureAcceptAnything"}]}"#,
    )
    .map_err(failed)?;
    let image = pod("flatland.yaml", "routed").containers[0]
        .image
        .clone()
        .unwrap();
    let archive = format!("oci-archive:image.tar:{image}");
    let file = conf("Containerfile");
    let build = ["build", "--timestamp=0", "--tag", &image, "--file"];
    buildah(
        folder,
        &[&build[..], &[file.to_str().unwrap(), "."]].concat(),
    )?;
    buildah(folder, &["push", &image, &archive])?;
    fs::read(folder.join("image.tar")).map_err(failed)
}

/// Runs buildah with its storage in `folder`.
fn buildah(folder: &Path, words: &[&str]) -> Result {
    let (command, arguments) = words.split_first().unwrap();
    let output = Command::new("buildah")
        .current_dir(folder)
        .env("BUILDAH_ISOLATION", "chroot")
        .args(["--root=storage", "--runroot=run", "--storage-driver=vfs"])
        .args([command, "--signature-policy=policy.json"])
        .args(arguments)
        .output()
        .map_err(|error| Error::new(format!("buildah: {error}: run `make setup`")))?;
    if output.status.success() {
        return Ok(());
    }
    let printed = String::from_utf8_lossy(&output.stderr);
    Err(Error::new(format!("buildah {command}: {printed}")))
}

/// Where a kubelet mounts the account of a pod that may have it.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A node that runs the DaemonSet's pod.
pub(crate) struct Kubelet<'a> {
    node: &'a Node,
    containerd: Containerd<'a>,
    pod: PodSpec,
    /// The address of the API server.
    server: Option<SocketAddr>,
}

impl<'a> Kubelet<'a> {
    /// Starts the container runtime with the image, and makes the volumes of `pod`, with `conflist`
    /// as the ConfigMap.
    pub(crate) fn start(
        node: &'a Node,
        image: &[u8],
        pod: PodSpec,
        conflist: &str,
    ) -> Result<Self> {
        // Containers with the host's network use its resolver.
        node.write("/etc/resolv.conf", "")?;
        let containerd = Containerd::start(node)?;
        node.write(ARCHIVE, image)?;
        containerd.import(ARCHIVE)?;
        let kubelet = Self {
            node,
            containerd,
            pod,
            server: None,
        };
        for volume in kubelet.pod.volumes.iter().flatten() {
            kubelet.make(volume, conflist)?;
        }
        Ok(kubelet)
    }

    /// Gives the pod's containers what they need to speak to the API server.
    pub(crate) fn give_account(&mut self, server: SocketAddr, token: &str, ca: &str) -> Result {
        let folder = format!("{VOLUMES}/account");
        self.node.run(&["mkdir", "-p", &folder])?;
        self.node.write(format!("{folder}/token"), token)?;
        self.node.write(format!("{folder}/ca.crt"), ca)?;
        self.server = Some(server);
        Ok(())
    }

    /// Makes a volume according to its type.
    fn make(&self, volume: &Volume, conflist: &str) -> Result {
        let source = source(volume);
        if volume.config_map.is_some() {
            self.node.run(&["mkdir", "-p", &source])?;
            return self
                .node
                .write(format!("{source}/10-flatland.conflist"), conflist);
        }
        let kind = volume
            .host_path
            .as_ref()
            .and_then(|path| path.type_.as_deref());
        match kind {
            Some("FileOrCreate") => self.node.run(&["touch", &source]).map(drop),
            Some("File") => self.node.run(&["test", "-f", &source]).map(drop),
            Some("Directory") => self.node.run(&["test", "-d", &source]).map(drop),
            // A Secret that is optional is an empty folder.
            _ => self.node.run(&["mkdir", "-p", &source]).map(drop),
        }
    }

    /// Runs the init container to its end.
    pub(crate) fn init(&self) -> Result<CommandOutput> {
        let container = &self.pod.init_containers.as_ref().unwrap()[0];
        self.containerd
            .run_host_to_end(&self.container(container, container.name.clone()))
    }

    /// Starts the main container, under a name that is unique on the node.
    pub(crate) fn main(&self, name: &str) -> Result<Process> {
        self.containerd
            .spawn_host(&self.container(&self.pod.containers[0], name.to_owned()))
    }

    /// Runs the command of the main container's readiness probe in it, as kubelet does.
    pub(crate) fn probe_readiness(&self, name: &str) -> Result<CommandOutput> {
        let probe = self.pod.containers[0].readiness_probe.clone().unwrap();
        let command = probe.exec.unwrap().command.unwrap();
        let words: Vec<_> = command.iter().map(String::as_str).collect();
        self.exec(name, &words)
    }

    /// Runs a command in the main container, as `kubectl exec` does.
    pub(crate) fn exec(&self, name: &str, command: &[&str]) -> Result<CommandOutput> {
        let exec = ["ctr", "tasks", "exec", "--exec-id", "exec", name];
        self.node.run_with(&[&exec, command].concat(), b"")
    }

    /// Ends the main container as kubelet does.
    pub(crate) fn end(&self, name: &str, client: &Process) -> Result {
        self.node
            .run(&["ctr", "tasks", "kill", "--signal", "SIGTERM", name])?;
        lab::wait_until("end of the container", lab::DEADLINE, || !client.running())
            .map_err(|error| error.doing(client.log()))
    }

    fn container(&self, container: &Container, name: String) -> HostContainer {
        let rights = container.security_context.clone().unwrap();
        let volumes: Vec<&Volume> = self.pod.volumes.iter().flatten().collect();
        let mounts = container.volume_mounts.iter().flatten().map(|mount| {
            let volume = volumes
                .iter()
                .find(|volume| volume.name == mount.name)
                .unwrap();
            Mount {
                source: source(volume),
                target: mount.mount_path.clone(),
                read_only: mount.read_only == Some(true),
                propagates: mount.mount_propagation.as_deref() == Some("HostToContainer"),
            }
        });
        let is_trusted = self.pod.automount_service_account_token == Some(true);
        let server = self.server.filter(|_| is_trusted);
        let account = server.map(|_| Mount {
            source: format!("{VOLUMES}/account"),
            target: ACCOUNT.to_owned(),
            read_only: true,
            propagates: false,
        });
        let service = server.into_iter().flat_map(|server| {
            let variable =
                |name: &str, value: String| (format!("KUBERNETES_SERVICE_{name}"), value);
            let (host, port) = (server.ip().to_string(), server.port().to_string());
            [variable("HOST", host), variable("PORT", port)]
        });
        HostContainer {
            name,
            image: container.image.clone().unwrap(),
            command: container.command.clone().unwrap(),
            environment: container
                .env
                .iter()
                .flatten()
                .map(|env| self.value(env))
                .chain(service)
                .collect(),
            capabilities: rights.capabilities.unwrap().add.unwrap(),
            read_only: rights.read_only_root_filesystem == Some(true),
            mounts: mounts.chain(account).collect(),
        }
    }

    /// The value of an environment variable, also of the downward API.
    fn value(&self, variable: &EnvVar) -> (String, String) {
        let from = serde_json::to_value(variable).unwrap();
        let value = match &from["valueFrom"]["fieldRef"]["fieldPath"] {
            Value::String(path) if path == "spec.nodeName" => self.node.name().to_owned(),
            Value::String(path) if path == "status.hostIP" => self.node.addresses()[0].to_string(),
            other => panic!("{}: {other}", variable.name),
        };
        (variable.name.clone(), value)
    }
}

/// The path of a volume on the node.
fn source(volume: &Volume) -> String {
    volume.host_path.as_ref().map_or_else(
        || format!("{VOLUMES}/{}", volume.name),
        |host_path| host_path.path.clone(),
    )
}
