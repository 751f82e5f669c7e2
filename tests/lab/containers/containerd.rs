//! containerd on a machine of the lab, controlled with `ctr`.

use std::ops::Deref;

use super::{ARCHIVE, CRUN, Container, HostContainer, IMAGE, prepare};
use crate::{CommandOutput, DEADLINE, Machine, Process, Result, wait_for, wait_until};

/// Without the CRI plugin, which needs the machine's cgroups. With the native snapshotter, which
/// works on any root file system.
const CONFIG: &str = r#"version = 2
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.overlayfs"]
"#;
const SNAPSHOTTER: &str = "--snapshotter=native";
/// The probe program, mounted into each container.
const MOUNT: &str = "type=bind,src=/opt/flatland/lab,dst=/lab,options=rbind:ro";

/// A running containerd. Its containers end with the lab.
#[derive(Debug)]
pub struct Containerd<'a> {
    machine: &'a Machine,
    _daemon: Process,
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

    /// Starts a container with its own network namespace, attached by CNI. `/lab` is the probe
    /// program.
    pub fn run(&self, id: &str, command: &[&str]) -> Result<RunningContainer<'a>> {
        self.run_attached("--cni", id, command)
    }

    /// Starts a container in the network namespace of another container.
    pub fn run_in(
        &self,
        other: &Container<'_>,
        id: &str,
        command: &[&str],
    ) -> Result<RunningContainer<'a>> {
        let namespace = format!("--with-ns=network:/proc/{}/ns/net", other.pid());
        self.run_attached(&namespace, id, command)
    }

    /// As [`Containerd::run`], but detached: DEL is never called.
    pub fn run_detached(&self, id: &str, command: &[&str]) -> Result<Container<'a>> {
        self.ctr(&words(&["--detach", "--cni"], id, command))?;
        self.container(id)
    }

    /// Imports an image archive of the machine.
    pub fn import(&self, archive: &str) -> Result {
        self.ctr(&["images", "import", SNAPSHOTTER, archive])
            .map(drop)
    }

    /// Runs a container with the host's network to its end.
    pub fn run_host_to_end(&self, container: &HostContainer) -> Result<CommandOutput> {
        let words = host_words(container);
        self.machine
            .run_with(&[&["ctr"], &*as_strs(&words)].concat(), b"")
    }

    /// Starts a container with the host's network. A signal to the returned process ends it.
    pub fn spawn_host(&self, container: &HostContainer) -> Result<Process> {
        let words = host_words(container);
        let command = [&["ctr"], &*as_strs(&words)].concat();
        self.machine.spawn(&container.name, None, &command)
    }

    /// Kills the first process of a container.
    pub fn kill(&self, id: &str) -> Result {
        let kill = ["tasks", "kill", "--signal", "SIGKILL", id];
        self.ctr(&kill).map(drop)
    }

    /// Starts a container and keeps `ctr` running, which cleans up when the container ends.
    fn run_attached(
        &self,
        network: &str,
        id: &str,
        command: &[&str],
    ) -> Result<RunningContainer<'a>> {
        let words = words(&["--rm", network], id, command);
        let client = self
            .machine
            .spawn(id, None, &[&["ctr"], &*words].concat())?;
        let container = self.container(id);
        let container = container.map_err(|error| error.doing(client.log()))?;
        Ok(RunningContainer { container, client })
    }

    /// Waits until a container runs.
    fn container(&self, id: &str) -> Result<Container<'a>> {
        let running = || self.task(id).filter(|(_, state)| state == "RUNNING");
        let (pid, _) = wait_for(format!("container {id}"), DEADLINE, running)?;
        Ok(Container::new(self.machine, pid))
    }

    /// The process id and the state of a container.
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

/// The words of `ctr run` with options.
fn words<'w>(options: &[&'w str], id: &'w str, command: &[&'w str]) -> Vec<&'w str> {
    let run = ["run", SNAPSHOTTER, "--runc-binary", CRUN, "--mount", MOUNT];
    [&run, options, &[IMAGE, id], command].concat()
}

/// The words of `ctr run` for a container with the host's network.
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

fn as_strs(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// A container, and the `ctr` process that waits for its end.
#[derive(Debug)]
pub struct RunningContainer<'a> {
    container: Container<'a>,
    client: Process,
}

impl RunningContainer<'_> {
    /// Waits until `ctr` has seen the container's end, has called DEL and has deleted the
    /// container.
    pub fn wait_end(self) -> Result {
        let ended = || !self.client.running();
        wait_until("end of ctr", DEADLINE, ended).map_err(|error| error.doing(self.client.log()))
    }
}

impl<'a> Deref for RunningContainer<'a> {
    type Target = Container<'a>;

    fn deref(&self) -> &Container<'a> {
        &self.container
    }
}
