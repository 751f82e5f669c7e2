//! One machine of a lab: namespaces, a root file system, one interface on the switch.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Child;

use crate::command::{self, CommandOutput, enter};
use crate::error::Doing;
use crate::namespaces::{child_of, own_path, start_holder};
use crate::{Process, Result};

/// A machine with its own files, interfaces and host name. Its processes end with the lab.
#[derive(Debug)]
pub struct Machine {
    name: String,
    /// This process holds the machine's namespaces while its standard input is open.
    holder: Child,
    pid: u32,
    addresses: Vec<IpAddr>,
}

/// How a machine is connected to the switch.
pub(crate) struct Plug {
    /// Host part of its addresses on the switch, 2 to 254.
    pub(crate) host: u8,
    /// MTU of its interface in bytes.
    pub(crate) mtu: u32,
    /// Whether it has default routes through the switch.
    pub(crate) default_route: bool,
    /// A folder of the caller that is mounted read-only as the folder of CNI plugins.
    pub(crate) plugins: Option<PathBuf>,
}

impl Machine {
    /// Boots a machine in the lab with pid 1 `lab`, with addresses on the switch.
    pub(crate) fn boot(lab: u32, name: &str, plug: &Plug, keep: bool) -> Result<Self> {
        let own = own_path()?;
        let mut words = vec![
            own.as_os_str(),
            "machine".as_ref(),
            "--name".as_ref(),
            name.as_ref(),
        ];
        if keep {
            words.push("--keep".as_ref());
        }
        if let Some(plugins) = &plug.plugins {
            words.extend(["--plugins".as_ref(), plugins.as_os_str()]);
        }
        let holder = start_holder(enter(lab, None, words)?)?;
        let pid = child_of(holder.id())?;
        let addresses = [
            format!("192.168.1.{}", plug.host),
            format!("fd00:192:168:1::{}", plug.host),
        ]
        .iter()
        .map(|address| address.parse().doing(address))
        .collect::<Result<Vec<IpAddr>>>()?;
        let machine = Self {
            name: name.to_owned(),
            holder,
            pid,
            addresses,
        };
        machine
            .plug_in(plug)
            .map_err(|error| error.doing(format!("connecting {name}")))?;
        Ok(machine)
    }

    fn plug_in(&self, plug: &Plug) -> Result {
        let (name, mtu) = (&self.name, plug.mtu);
        let mut batch = format!(
            "link set lo up\n\
             link add eth0 mtu {mtu} type veth peer name {name} mtu {mtu} netns 1\n\
             address add {}/24 dev eth0\n\
             address add {}/64 dev eth0 nodad\n\
             link set eth0 up\n",
            self.addresses[0], self.addresses[1]
        );
        if plug.default_route {
            batch += "route add default via 192.168.1.1\nroute add default via fd00:192:168:1::1\n";
        }
        self.run_with(&["ip", "-batch", "-"], batch.as_bytes())?
            .success()
            .map(drop)
    }

    /// The name, also the host name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process that holds the namespaces, in the caller's pid namespace.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The IPv4 and the IPv6 address on the switch.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// The path by which the caller reaches a file of the machine. Not for /proc/sys/net, which
    /// shows each reader its own network namespace.
    pub fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        let inside = inside.as_ref();
        let root = PathBuf::from(format!("/proc/{}/root", self.pid));
        root.join(inside.strip_prefix("/").unwrap_or(inside))
    }

    /// The content of a file.
    pub fn read(&self, inside: impl AsRef<Path>) -> Result<String> {
        let inside = inside.as_ref();
        fs::read_to_string(self.path(inside)).doing(format!("{}:{}", self.name, inside.display()))
    }

    /// Writes a file.
    pub fn write(&self, inside: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Result {
        let inside = inside.as_ref();
        fs::write(self.path(inside), content).doing(format!("{}:{}", self.name, inside.display()))
    }

    /// Runs a command that must succeed and returns what it printed.
    pub fn run<S: AsRef<OsStr>>(&self, command: &[S]) -> Result<String> {
        self.run_with(command, b"")?
            .success()
            .map_err(|error| error.doing(&self.name))
    }

    /// Runs a command with `stdin` as its input. A failed command is no error.
    pub fn run_with<S: AsRef<OsStr>>(&self, command: &[S], stdin: &[u8]) -> Result<CommandOutput> {
        command::run(enter(self.pid, None, command)?, stdin)
    }

    /// As [`Machine::run_with`], with these environment variables and no others.
    pub(crate) fn run_with_env<S: AsRef<OsStr>>(
        &self,
        variables: &BTreeMap<String, String>,
        command: &[S],
        stdin: &[u8],
    ) -> Result<CommandOutput> {
        let mut enter = enter(self.pid, None, command)?;
        enter.env_clear().envs(variables);
        command::run(enter, stdin)
    }

    /// As [`Machine::run_with`], in the network namespace at `netns` (a path of the machine).
    pub fn run_in<S: AsRef<OsStr>>(&self, netns: &Path, command: &[S]) -> Result<CommandOutput> {
        command::run(enter(self.pid, Some(netns), command)?, b"")
    }

    /// Runs a command in the background, in `netns` if given. Its output goes to
    /// `/var/log/<log>.log`.
    pub fn spawn<S: AsRef<OsStr>>(
        &self,
        log: &str,
        netns: Option<&Path>,
        command: &[S],
    ) -> Result<Process> {
        let log = self.path(format!("/var/log/{log}.log"));
        Process::start(enter(self.pid, netns, command)?, &log)
            .map_err(|error| error.doing(&self.name))
    }

    /// Copies a program of the caller to a path of the machine.
    pub fn install(&self, program: &Path, inside: &str) -> Result {
        command::install(program, &self.path(inside))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        // The process ends by itself when its standard input is closed; waiting leaves no zombie
        // behind.
        let _ = self.holder.wait();
    }
}
