//! A node: a machine with Flatland on it.

mod policy;

use std::ops::Deref;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;
use serde_json::Value;

use crate::command::program_under_test;
use crate::error::Doing;
use crate::machine::{Machine, Plug};
use crate::runtime::{Target, execute};
use crate::{CommandOutput, DEADLINE, Error, Pod, Process, Result, wait_until};

/// The conflist that `routed` is started with.
const CONFLIST: &str = "/etc/flatland/10-flatland.conflist";
/// Where `routed` installs the conflist for the container runtime.
const INSTALLED: &str = "/etc/cni/net.d/10-flatland.conflist";

/// A node of the cluster. It has all methods of [`Machine`].
#[derive(Debug)]
pub struct Node {
    machine: Machine,
    conflist: String,
    routed: Mutex<Option<Process>>,
    policy: Mutex<Option<Process>>,
}

impl Node {
    /// Boots a node and installs the programs; nothing runs on it yet.
    pub(crate) fn boot(
        lab: u32,
        name: &str,
        plug: &Plug,
        conflist: &Value,
        keep: bool,
    ) -> Result<Self> {
        let machine = Machine::boot(lab, name, plug, keep)?;
        for (program, path) in [
            ("flatland", "/opt/cni/bin/flatland"),
            ("flatland-claim", "/opt/cni/bin/flatland-claim"),
            ("routed", "/opt/flatland/routed"),
            ("flatland-policy", "/opt/flatland/flatland-policy"),
            ("lab", "/opt/flatland/lab"),
        ] {
            machine.install(&program_under_test(program)?, path)?;
        }
        // As `make build` makes them: one file with two names.
        machine.run(&["ln", "/opt/cni/bin/flatland", "/opt/cni/bin/flatland-ipam"])?;
        let conflist = format!("{conflist:#}\n");
        machine.write(CONFLIST, &conflist)?;
        Ok(Self {
            machine,
            conflist,
            routed: Mutex::new(None),
            policy: Mutex::new(None),
        })
    }

    /// Starts `routed run` with more arguments, without waiting for anything.
    pub fn spawn_routed(&self, arguments: &[&str]) -> Result {
        let mut command = vec!["/opt/flatland/routed", "run", "--conflist", CONFLIST];
        command.extend_from_slice(arguments);
        *self.routed() = Some(self.machine.spawn("routed", None, &command)?);
        Ok(())
    }

    /// Starts `routed` and waits until it has installed the conflist.
    pub fn start_routed(&self) -> Result {
        self.spawn_routed(&[])?;
        self.wait_ready()
    }

    /// Waits until the conflist is installed.
    pub fn wait_ready(&self) -> Result {
        wait_until(format!("conflist on {}", self.name()), DEADLINE, || {
            self.ready() || !self.routed_runs()
        })
        .and_then(|()| {
            if self.ready() {
                Ok(())
            } else {
                Err(Error::new("routed ended"))
            }
        })
        .map_err(|error| error.doing(self.routed_log()))
    }

    /// Whether the conflist is installed.
    pub fn ready(&self) -> bool {
        self.machine.path(INSTALLED).exists()
    }

    /// Whether `routed` runs.
    pub fn routed_runs(&self) -> bool {
        self.routed().as_ref().is_some_and(Process::running)
    }

    /// Ends `routed` with a signal and waits until it is gone.
    pub fn end_routed(&self, signal: Signal) -> Result {
        let routed = self.routed().take();
        routed.map_or(Ok(()), |routed| routed.end(signal))
    }

    /// Sends `routed` a signal, without waiting.
    pub fn signal_routed(&self, signal: Signal) -> Result {
        let routed = self.routed();
        let none = || Error::new(format!("no routed on {}", self.name()));
        routed.as_ref().ok_or_else(none)?.signal(signal)
    }

    /// Runs another command of `routed`. A failed command is no error.
    pub fn routed_command(&self, arguments: &[&str]) -> Result<CommandOutput> {
        let mut command = vec!["/opt/flatland/routed"];
        command.extend_from_slice(arguments);
        self.machine.run_with(&command, b"")
    }

    /// The subnets that the node owns by its local state file.
    pub fn owned_subnets(&self) -> Result<Vec<String>> {
        let text = self
            .machine
            .read("/var/lib/flatland/flatland/subnets.json")?;
        let json: Value = serde_json::from_str(&text).doing("subnets.json")?;
        let subnets = json["subnets"].as_array().into_iter().flatten();
        Ok(subnets
            .filter_map(|subnet| Some(subnet.as_str()?.to_owned()))
            .collect())
    }

    /// Waits until `routed` has logged `text`.
    pub fn wait_log(&self, text: &str) -> Result {
        wait_until(format!("{text:?} in the log"), DEADLINE, || {
            self.routed_log().contains(text)
        })
        .map_err(|error| error.doing(self.routed_log()))
    }

    /// The log of `routed`, of all its runs.
    pub fn routed_log(&self) -> String {
        self.machine.read("/var/log/routed.log").unwrap_or_default()
    }

    /// The number of lines in the log of `routed` that contain `text`.
    pub fn count_logged(&self, text: &str) -> usize {
        let log = self.routed_log();
        log.lines().filter(|line| line.contains(text)).count()
    }

    /// The resident memory of `routed` in KiB (`VmRSS` in proc(5)).
    pub fn routed_memory(&self) -> Result<u64> {
        self.routed_status("VmRSS:")
    }

    /// The anonymous part of the resident memory in KiB, without code and constants (`RssAnon` in
    /// proc(5)).
    pub fn routed_anonymous_memory(&self) -> Result<u64> {
        self.routed_status("RssAnon:")
    }

    /// The peak resident memory in KiB (`VmHWM` in proc(5)).
    pub fn routed_peak_memory(&self) -> Result<u64> {
        self.routed_status("VmHWM:")
    }

    /// The peak resident memory in KiB without the program itself, which is larger as built for
    /// tests.
    pub fn routed_peak_data(&self) -> Result<u64> {
        let program = self.routed_memory()? - self.routed_anonymous_memory()?;
        Ok(self.routed_peak_memory()? - program)
    }

    /// The processor time of all threads of `routed`.
    pub fn routed_cpu_time(&self) -> Result<Duration> {
        let pid = i32::try_from(self.routed_pid()?).doing("the process id")?;
        let time = clock_getcpuclockid(Pid::from_raw(pid)).and_then(ClockId::now);
        Ok(time.doing(format!("processor time of {pid}"))?.into())
    }

    /// The process id of `routed` in the caller's pid namespace.
    pub fn routed_pid(&self) -> Result<u32> {
        let routed = self.routed();
        let none = || Error::new(format!("no routed on {}", self.name()));
        Ok(routed.as_ref().ok_or_else(none)?.pid())
    }

    fn routed_status(&self, key: &str) -> Result<u64> {
        let status = format!("/proc/{}/status", self.routed_pid()?);
        let text = std::fs::read_to_string(&status).doing(&status)?;
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        let size = line.and_then(|line| line.trim().strip_suffix(" kB"));
        size.and_then(|size| size.parse().ok())
            .ok_or_else(|| Error::new(format!("no {key} in {status}")))
    }

    /// Installs the conflist as an operator would without `routed`.
    pub fn install_conflist(&self) -> Result {
        self.machine.write(INSTALLED, &self.conflist)
    }

    /// The conflist the node was booted with.
    pub fn conflist(&self) -> Value {
        serde_json::from_str(&self.conflist).unwrap_or_default()
    }

    /// Replaces the conflist that `routed` is started with.
    pub fn set_conflist(&mut self, conflist: &Value) -> Result {
        self.conflist = format!("{conflist:#}\n");
        self.machine.write(CONFLIST, &self.conflist)
    }

    /// A pod's network namespace, not attached yet.
    pub fn sandbox(&self, name: &str) -> Result<Pod<'_>> {
        Pod::sandbox(&self.machine, name)
    }

    /// Adds a pod and attaches it.
    pub fn add_pod(&self, name: &str) -> Result<Pod<'_>> {
        let mut pod = self.sandbox(name)?;
        pod.attach()
            .map_err(|error| error.doing(format!("adding {name} to {}", self.name())))?;
        Ok(pod)
    }

    /// Calls a plugin directly.
    pub fn call_plugin(
        &self,
        plugin: &str,
        command: &str,
        target: Target<'_>,
        stdin: &str,
    ) -> Result<CommandOutput> {
        execute(&self.machine, plugin, command, target, stdin.as_bytes())
    }

    /// Installs plugins of Debian's containernetworking-plugins beside ours.
    pub fn install_plugins(&self, plugins: &[&str]) -> Result {
        for plugin in plugins {
            let theirs = Path::new("/usr/lib/cni").join(plugin);
            if !theirs.is_file() {
                let missing = format!("no {} on this machine: run `make setup`", theirs.display());
                return Err(Error::new(missing));
            }
            self.machine
                .install(&theirs, &format!("/opt/cni/bin/{plugin}"))?;
        }
        Ok(())
    }

    /// The kernel's routes with our protocol number, one a line, IPv4 first.
    pub fn routes(&self) -> Result<Vec<String>> {
        let mut all = Vec::new();
        for family in ["-4", "-6"] {
            let text = self
                .machine
                .run(&["ip", family, "route", "show", "proto", "70"])?;
            all.extend(text.lines().map(|line| line.trim().to_owned()));
        }
        Ok(all)
    }

    /// Waits until the interfaces that DEL took out of use have been destroyed.
    pub fn wait_destroyed(&self) -> Result {
        let group = wire::REMOVED_GROUP.to_string();
        wait_until("end of removed interfaces", DEADLINE, || {
            let left = self
                .machine
                .run(&["ip", "-o", "link", "show", "group", &group]);
            left.is_ok_and(|left| left.is_empty())
        })
    }

    /// All state of the node that an attachment could leave behind, as text to compare: links,
    /// routes, permanent neighbours, reserved addresses. Waits as [`Node::wait_destroyed`] does.
    pub fn attachment_state(&self) -> Result<Vec<String>> {
        self.wait_destroyed()?;
        let mut all = Vec::new();
        for command in [
            &["ip", "-o", "link"][..],
            &["ip", "-4", "route", "show", "table", "all"],
            &["ip", "-6", "route", "show", "table", "all"],
            &["ip", "neigh", "show", "nud", "permanent"],
            &[
                "find",
                "/run/flatland/flatland/addresses",
                "/run/flatland/flatland/attachments",
                "-type",
                "f,l",
            ],
        ] {
            all.push(self.machine.run_with(command, b"")?.stdout);
        }
        Ok(all)
    }

    fn routed(&self) -> MutexGuard<'_, Option<Process>> {
        self.routed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deref for Node {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.machine
    }
}
