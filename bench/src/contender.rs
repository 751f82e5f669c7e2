//! A plugin that is timed, as a runtime calls it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Debian's host-local, of the package containernetworking-plugins.
pub(crate) const HOST_LOCAL: &str = "/usr/lib/cni/host-local";

/// An IPAM plugin with its configuration.
pub(crate) struct Contender {
    /// What it is called in the table.
    pub(crate) name: &'static str,
    plugin: &'static str,
    config: Value,
}

impl Contender {
    /// All of them, each with a network of its own for `in_use` addresses in use. A /20 holds more
    /// than 4,000.
    pub(crate) fn all(in_use: usize) -> Vec<Self> {
        let ours = |name, cidrs: &[&str], lengths: &[u8], network: &str| Self {
            name,
            plugin: "flatland-ipam",
            config: json!({
                "cniVersion": "1.0.0", "name": format!("{network}-{in_use}"), "type": "flatland",
                "ipam": { "type": "flatland-ipam", "podCIDRs": cidrs, "subnetLengths": lengths }
            }),
        };
        vec![
            ours("flatland-ipam, IPv4", &["10.240.0.0/16"], &[20], "ours4"),
            ours(
                "flatland-ipam, dual stack",
                &["10.241.0.0/16", "fd00:10:241::/56"],
                &[20, 80],
                "ours",
            ),
            Self {
                name: "host-local, IPv4",
                plugin: "host-local",
                config: json!({
                    "cniVersion": "1.0.0", "name": format!("theirs-{in_use}"), "type": "ptp",
                    "ipam": {
                        "type": "host-local", "dataDir": "/run/host-local",
                        "ranges": [[{ "subnet": "10.242.0.0/20" }]]
                    }
                }),
            },
        ]
    }

    /// Takes `in_use` addresses.
    pub(crate) fn fill(&self, in_use: usize) -> Result<(), String> {
        if self.plugin == "flatland-ipam" {
            return (0..in_use)
                .try_for_each(|pod| self.call("ADD", &format!("full{pod}")).map(drop));
        }
        // By ADD this would take minutes: its cost grows with each. These are the files it leaves.
        let folder =
            Path::new("/run/host-local").join(self.config["name"].as_str().unwrap_or_default());
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        for pod in 2..in_use + 2 {
            let file = folder.join(format!("10.242.{}.{}", pod / 256, pod % 256));
            fs::write(&file, format!("full{pod}\r\neth0")).map_err(|error| error.to_string())?;
        }
        let last = format!("10.242.{}.{}", (in_use + 1) / 256, (in_use + 1) % 256);
        fs::write(folder.join("last_reserved_ip.0"), last).map_err(|error| error.to_string())
    }

    /// One call, timed from the start of the process to its end.
    pub(crate) fn call(&self, command: &str, container: &str) -> Result<Duration, String> {
        let config = self.config.to_string();
        let start = Instant::now();
        let mut child = Command::new(format!("/opt/cni/bin/{}", self.plugin))
            .env_clear()
            .env("CNI_COMMAND", command)
            .env("CNI_CONTAINERID", container)
            .env("CNI_NETNS", "/proc/self/ns/net")
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", "/opt/cni/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", self.plugin))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin
                .write_all(config.as_bytes())
                .map_err(|error| error.to_string())?;
        }
        let output = child
            .wait_with_output()
            .map_err(|error| error.to_string())?;
        let elapsed = start.elapsed();
        if output.status.success() {
            return Ok(elapsed);
        }
        let answer = String::from_utf8_lossy(&output.stdout);
        Err(format!("{} {command} {container}: {answer}", self.name))
    }
}
