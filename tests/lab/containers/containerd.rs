//! containerd, as `ctr` drives it.

use std::ops::Deref;

use super::{ARCHIVE, CRUN, Container, HostContainer, IMAGE, prepare};
use crate::{DEADLINE, Daemon, Machine, Output, Result, wait_for, wait_until};

/// Without what kubelet talks to, which wants to know how the machine's cgroups are; and no layers on
/// layers, so that the root may be of any kind.
const CONFIG: &str = r#"version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.overlayfs"]
"#;
const SNAPSHOTTER: &str = "--snapshotter=native";
/// The probes' program in each container.
const MOUNT: &str = "type=bind,src=/opt/flatland/lab,dst=/lab,options=rbind:ro";

/// A running containerd. Its containers end with the lab.
#[derive(Debug)]
pub struct Containerd<'a> {
    machine: &'a Machine,
    _daemon: Daemon,
}

impl<'a> Containerd<'a> {
    /// Starts it on a machine and waits until it has the image.
    pub fn start(machine: &'a Machine) -> Result<Self> {
        prepare(machine)?;
        let config = "/etc/containerd.toml";
        machine.write(config, CONFIG)?;
        let command = ["containerd", "--config", config];
        let daemon = machine.spawn("containerd", None, &command)?;
        wait_until("answer of containerd", DEADLINE, || {
            machine.run(&["ctr", "version"]).is_ok()
        })
        .map_err(|error| error.doing(daemon.log()))?;
        let containerd = Self {
            machine,
            _daemon: daemon,
        };
        containerd.import(ARCHIVE)?;
        Ok(containerd)
    }

    /// Starts a container with a network of its own, by CNI. `/lab` is the probes' program in it.
    pub fn run(&self, id: &str, command: &[&str]) -> Result<Running<'a>> {
        self.attend("--cni", id, command)
    }

    /// Starts a container in the network namespace of another.
    pub fn run_in(&self, other: &Container<'_>, id: &str, command: &[&str]) -> Result<Running<'a>> {
        let namespace = format!("--with-ns=network:/proc/{}/ns/net", other.pid());
        self.attend(&namespace, id, command)
    }

    /// As [`Containerd::run`], but with nobody who would call DEL in the end.
    pub fn run_detached(&self, id: &str, command: &[&str]) -> Result<Container<'a>> {
        self.ctr(&words(&["--detach", "--cni"], id, command))?;
        self.container(id)
    }

    /// Imports an archive that is on the machine.
    pub fn import(&self, archive: &str) -> Result {
        self.ctr(&["images", "import", SNAPSHOTTER, archive])
            .map(drop)
    }

    /// Runs a container of the machine's own network to its end.
    pub fn finish(&self, container: &HostContainer) -> Result<Output> {
        let words = host_words(container);
        self.machine
            .run_with(&[&["ctr"], &*refs(&words)].concat(), b"")
    }

    /// Starts a container of the machine's own network; it ends with what is returned, by a signal.
    pub fn host(&self, container: &HostContainer) -> Result<Daemon> {
        let words = host_words(container);
        let command = [&["ctr"], &*refs(&words)].concat();
        self.machine.spawn(&container.name, None, &command)
    }

    /// Kills the first process of a container.
    pub fn kill(&self, id: &str) -> Result {
        let kill = ["tasks", "kill", "--signal", "SIGKILL", id];
        self.ctr(&kill).map(drop)
    }

    /// Starts a container and leaves `ctr` there, which cleans up when the container ends.
    fn attend(&self, network: &str, id: &str, command: &[&str]) -> Result<Running<'a>> {
        let words = words(&["--rm", network], id, command);
        let client = self
            .machine
            .spawn(id, None, &[&["ctr"], &*words].concat())?;
        let container = self.container(id);
        let container = container.map_err(|error| error.doing(client.log()))?;
        Ok(Running { container, client })
    }

    /// Waits until a container runs.
    fn container(&self, id: &str) -> Result<Container<'a>> {
        let running = || self.task(id).filter(|(_, state)| state == "RUNNING");
        let (pid, _) = wait_for(format!("container {id}"), DEADLINE, running)?;
        Ok(Container::new(self.machine, pid))
    }

    /// The process of a container and the state it is in.
    fn task(&self, id: &str) -> Option<(u32, String)> {
        let list = self.ctr(&["tasks", "list"]).ok()?;
        list.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            let found = words.next()? == id;
            let (pid, state) = (words.next()?.parse().ok()?, words.next()?.to_owned());
            found.then_some((pid, state))
        })
    }

    fn ctr(&self, words: &[&str]) -> Result<String> {
        self.machine.run(&[&["ctr"], words].concat())
    }
}

/// `ctr run`, with options.
fn words<'w>(options: &[&'w str], id: &'w str, command: &[&'w str]) -> Vec<&'w str> {
    let run = ["run", SNAPSHOTTER, "--runc-binary", CRUN, "--mount", MOUNT];
    [&run, options, &[IMAGE, id], command].concat()
}

/// `ctr run`, for a container of the machine's own network.
fn host_words(container: &HostContainer) -> Vec<String> {
    let run = [
        "run",
        SNAPSHOTTER,
        "--runc-binary",
        CRUN,
        "--rm",
        "--net-host",
        "--seccomp",
    ];
    let mut words = run.map(str::to_owned).to_vec();
    words.extend(container.flags());
    words.extend([container.image.clone(), container.name.clone()]);
    words.extend_from_slice(&container.command);
    words
}

fn refs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// A container, and the `ctr` that waits for its end.
#[derive(Debug)]
pub struct Running<'a> {
    container: Container<'a>,
    client: Daemon,
}

impl Running<'_> {
    /// Waits until `ctr` has seen the container's end and has cleaned up: DEL, and the container.
    pub fn wait_end(self) -> Result {
        let ended = || !self.client.running();
        wait_until("end of ctr", DEADLINE, ended).map_err(|error| error.doing(self.client.log()))
    }
}

impl<'a> Deref for Running<'a> {
    type Target = Container<'a>;

    fn deref(&self) -> &Container<'a> {
        &self.container
    }
}
