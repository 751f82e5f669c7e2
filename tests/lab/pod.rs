//! A pod: a network namespace on a node, attached through the node's conflist.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::path::Path;

use wire::cni::Success;

use crate::command::CommandOutput;
use crate::runtime::{Attached, Target};
use crate::{Machine, Process, Result, Runtime};

/// A pod's network namespace and its attachment.
#[derive(Debug)]
pub struct Pod<'a> {
    machine: &'a Machine,
    name: String,
    netns: String,
    args: String,
    attached: Option<Attached>,
}

impl<'a> Pod<'a> {
    /// A network namespace that is not attached yet.
    pub(crate) fn sandbox(machine: &'a Machine, name: &str) -> Result<Self> {
        machine.run(&["ip", "netns", "add", name])?;
        machine.run(&["ip", "-n", name, "link", "set", "lo", "up"])?;
        Ok(Self {
            machine,
            name: name.to_owned(),
            netns: format!("/run/netns/{name}"),
            args: String::new(),
            attached: None,
        })
    }

    /// Gives the pod a Kubernetes name in `CNI_ARGS`, as runtimes do.
    #[must_use]
    pub fn named(self, namespace: &str, name: &str) -> Self {
        self.with_args(&format!(
            "IgnoreUnknown=1;K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={name}"
        ))
    }

    /// Sets `CNI_ARGS`.
    #[must_use]
    pub(crate) fn with_args(self, args: &str) -> Self {
        let args = args.to_owned();
        Self { args, ..self }
    }

    /// Calls ADD with the first conflist in the node's /etc/cni/net.d.
    pub fn attach(&mut self) -> Result {
        let attached = Runtime::of(self.machine)?.add(self.target())?;
        self.attached = Some(attached);
        Ok(())
    }

    /// Calls CHECK.
    ///
    /// # Panics
    /// If it is not attached.
    pub fn check(&self) -> Result {
        let attached = self.attached.as_ref().expect("the pod is attached");
        Runtime::of(self.machine)?.check(self.target(), attached)
    }

    /// Calls DEL and keeps the namespace.
    pub fn detach(&self) -> Result {
        Runtime::of(self.machine)?.del(self.target(), self.attached.as_ref())
    }

    /// Calls DEL and deletes the namespace, as runtimes do.
    pub fn delete(self) -> Result {
        self.detach()?;
        self.machine
            .run(&["ip", "netns", "del", &self.name])
            .map(drop)
    }

    /// Deletes the namespace without DEL.
    pub fn delete_netns(self) -> Result {
        self.machine
            .run(&["ip", "netns", "del", &self.name])
            .map(drop)
    }

    /// The name, also the container id.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The node's machine.
    pub fn machine(&self) -> &'a Machine {
        self.machine
    }

    /// The path of its network namespace on the node.
    pub fn netns(&self) -> &Path {
        Path::new(&self.netns)
    }

    /// The CNI parameters of its attachment.
    pub fn target(&self) -> Target<'_> {
        Target {
            container_id: &self.name,
            netns: &self.netns,
            interface: "eth0",
            args: &self.args,
        }
    }

    /// The result of ADD.
    ///
    /// # Panics
    /// If it is not attached.
    pub fn result(&self) -> &Success {
        &self.attached.as_ref().expect("the pod is attached").result
    }

    /// The pod's addresses, in the order of the result.
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.result().ips.iter().map(|ip| ip.address.ip()).collect()
    }

    /// Runs a command in the pod that must succeed and returns what it printed.
    pub fn run<S: AsRef<OsStr>>(&self, command: &[S]) -> Result<String> {
        self.try_run(command)?
            .success()
            .map_err(|error| error.doing(&self.name))
    }

    /// Runs a command in the pod. A failed command is no error.
    pub fn try_run<S: AsRef<OsStr>>(&self, command: &[S]) -> Result<CommandOutput> {
        self.machine.run_in(self.netns(), command)
    }

    /// Runs a command in the pod in the background.
    pub fn spawn<S: AsRef<OsStr>>(&self, log: &str, command: &[S]) -> Result<Process> {
        self.machine
            .spawn(&format!("{}-{log}", self.name), Some(self.netns()), command)
    }
}
