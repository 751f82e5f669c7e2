//! podman on a machine of the lab, with CNI networks.

use super::{ARCHIVE, CRUN, Container, IMAGE, LAB, prepare};
use crate::error::Doing;
use crate::{Machine, Result};

const CONFIG: &str = r#"[containers]
cgroups = "disabled"
log_driver = "k8s-file"
[network]
network_backend = "cni"
network_config_dir = "/etc/cni/net.d"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
"#;

/// The vfs driver stacks no layers, so that it works on any root file system.
const STORAGE: &str = r#"[storage]
driver = "vfs"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
"#;

/// The only image is built here, so signatures are not checked.
const POLICY: &str = r#"{ "default": [{ "type": "insecureAcceptAnything" }] }"#;

/// podman on a machine. Its containers end with the lab.
#[derive(Debug)]
pub struct Podman<'a> {
    machine: &'a Machine,
}

impl<'a> Podman<'a> {
    /// Configures podman on a machine and loads the image.
    pub fn set_up(machine: &'a Machine) -> Result<Self> {
        prepare(machine)?;
        machine.run(&["mkdir", "-p", "/etc/containers"])?;
        let config = format!("{CONFIG}[engine.runtimes]\ncrun = [\"{CRUN}\"]\n");
        machine.write("/etc/containers/containers.conf", config)?;
        machine.write("/etc/containers/storage.conf", STORAGE)?;
        machine.write("/etc/containers/policy.json", POLICY)?;
        let podman = Self { machine };
        podman.podman(&["load", "--input", ARCHIVE])?;
        Ok(podman)
    }

    /// Starts a container. `/lab` is the probe program.
    pub fn run(&self, name: &str, options: &[&str], command: &[&str]) -> Result<Container<'a>> {
        let name_flag = format!("--name={name}");
        let lab = format!("--volume={LAB}:/lab:ro");
        let mut words = vec!["run", "--detach", &name_flag, &lab];
        words.extend_from_slice(options);
        words.push(IMAGE);
        words.extend_from_slice(command);
        self.podman(&words)?;
        self.container(name)
    }

    /// Creates a pod, whose containers share the network of an idle infra container.
    pub fn create_pod(&self, name: &str, options: &[&str]) -> Result {
        let idle = format!("--infra-image={IMAGE}");
        let mut words = vec!["pod", "create", &idle, "--infra-command=/bin/sleep 1d"];
        words.extend_from_slice(options);
        words.push(name);
        self.podman(&words).map(drop)
    }

    /// A running container.
    pub fn container(&self, name: &str) -> Result<Container<'a>> {
        let pid = self.podman(&["inspect", "--format={{.State.Pid}}", name])?;
        let pid = pid.trim().parse().doing(format!("process of {name}"))?;
        Ok(Container::new(self.machine, pid))
    }

    /// Runs podman.
    pub fn podman(&self, words: &[&str]) -> Result<String> {
        self.machine.run(&[&["podman"], words].concat())
    }
}
