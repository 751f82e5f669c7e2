//! Debian's container runtimes containerd and podman on a node, with an image that is built from
//! busybox.

mod containerd;
mod host;
mod image;
mod podman;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::Doing;
use crate::{Error, Machine, Place, Result};

pub use containerd::{Containerd, RunningContainer};
pub use host::{HostContainer, Mount};
pub use podman::Podman;

/// The name of the image.
const IMAGE: &str = "localhost/busybox:latest";
/// The path of the image archive on the node.
const ARCHIVE: &str = "/opt/flatland/busybox.tar";
/// The wrapper script that the runtimes call instead of crun.
const CRUN: &str = "/opt/flatland/crun";
/// The probe program on nodes and in their containers.
const LAB: &str = "/opt/flatland/lab";

/// The machine's cgroups do not belong to the lab, so containers run without cgroups. Group 5 (tty)
/// does not exist in the user namespace of an unprivileged user.
const CRUN_SCRIPT: &str = r#"#!/bin/sh
bundle=.
for word; do
    case $before in --bundle | -b) bundle=$word ;; esac
    before=$word
done
test ! -e "$bundle/config.json" || sed -i 's/,"gid=5"//' "$bundle/config.json"
exec /usr/bin/crun --cgroup-manager=disabled "$@"
"#;

/// A running container.
#[derive(Debug)]
pub struct Container<'a> {
    machine: &'a Machine,
    /// The first process's id on the machine.
    pid: u32,
    netns: PathBuf,
}

impl<'a> Container<'a> {
    fn new(machine: &'a Machine, pid: u32) -> Self {
        Self {
            machine,
            pid,
            netns: format!("/proc/{pid}/ns/net").into(),
        }
    }

    /// The first process's id on the machine.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The network namespace of the container.
    pub fn place(&self) -> Place<'_> {
        Place::within(self.machine, &self.netns)
    }

    /// The addresses of its `eth0` that are not link-local, IPv4 first.
    pub fn addresses(&self) -> Result<Vec<IpAddr>> {
        let command = [
            "ip", "-j", "address", "show", "dev", "eth0", "scope", "global",
        ];
        let text = self.machine.run_in(&self.netns, &command)?.success()?;
        let links: Value = serde_json::from_str(&text).doing("addresses of eth0")?;
        let infos = links.as_array().into_iter().flatten();
        let infos = infos
            .filter_map(|link| link["addr_info"].as_array())
            .flatten();
        // `ip` prints an empty object for each address that the filter excludes.
        let addresses = infos.filter_map(|info| info["local"].as_str());
        addresses
            .map(|address| address.parse().doing(address))
            .collect()
    }
}

/// Installs Debian's runtimes and an image for them on a node.
fn prepare(machine: &Machine) -> Result {
    if !machine.path("/opt/runtimes/usr").is_dir() {
        return Err(Error::new(
            "no container runtimes on this machine: run `make setup`",
        ));
    }
    let over_usr = "lowerdir=/opt/runtimes/usr:/usr";
    machine.run(&["mount", "-t", "overlay", "overlay", "-o", over_usr, "/usr"])?;
    // The runtimes keep locks in /dev/shm and look for controllers in /sys/fs/cgroup; both belong
    // to the caller.
    for folder in ["/dev/shm", "/sys/fs/cgroup"] {
        machine.run(&["mount", "-t", "tmpfs", "tmpfs", folder])?;
    }
    machine.write(CRUN, CRUN_SCRIPT)?;
    machine.run(&["chmod", "755", CRUN])?;
    let busybox = machine.path(Path::new("/usr/bin/busybox"));
    let busybox = std::fs::read(&busybox).doing(busybox.display())?;
    machine.write(ARCHIVE, image::archive(&busybox)?)
}
