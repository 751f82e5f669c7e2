//! A mount namespace for the plugin, with empty `/run`, `/var/lib` and `/etc` that last as long as
//! the test. Needs no root if unprivileged user namespaces are allowed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

const SETUP: &str = "
    set -e
    for folder in /run /var/lib /etc; do mount -t tmpfs -o size=16m none $folder; done
    echo 0123456789abcdef0123456789abcdef > /etc/machine-id
    echo ready
    read -r _ || true
";

/// The namespace. It lives as long as the process that reads from our pipe.
pub(crate) struct Sandbox {
    holder: Child,
    /// The namespaces besides mount and user.
    more: &'static [&'static str],
    /// The network configuration of all calls.
    pub(crate) config: Value,
    /// The plugin.
    pub(crate) program: &'static str,
}

/// The output of a call.
#[derive(Debug)]
pub(crate) struct PluginOutput {
    /// Exit status 0.
    pub(crate) ok: bool,
    /// Standard output as JSON; null if there was none.
    pub(crate) json: Value,
    /// Standard error.
    pub(crate) stderr: String,
}

impl PluginOutput {
    /// The addresses of a result, with their masks.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let ips = self.json["ips"]
            .as_array()
            .unwrap_or_else(|| panic!("{self:?}"));
        ips.iter()
            .map(|ip| ip["address"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The code of an error.
    pub(crate) fn code(&self) -> u64 {
        assert!(!self.ok, "{self:?}");
        self.json["code"]
            .as_u64()
            .unwrap_or_else(|| panic!("{self:?}"))
    }

    /// The message and details of an error.
    pub(crate) fn message(&self) -> String {
        let text = |key: &str| self.json[key].as_str().unwrap_or_default().to_owned();
        format!("{}; {}", text("msg"), text("details"))
    }
}

impl From<Output> for PluginOutput {
    fn from(output: Output) -> Self {
        Self {
            ok: output.status.success(),
            json: serde_json::from_slice(&output.stdout).unwrap_or_default(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Sandbox {
    /// A node with these pod CIDRs and subnet lengths, in its own network namespace with only a
    /// loopback link, which is down.
    pub(crate) fn new(pod_cidrs: &[&str], lengths: &[u8]) -> Self {
        Self::with(pod_cidrs, lengths, &["--net"])
    }

    /// A node in the network namespace of the test.
    pub(crate) fn sharing_network(pod_cidrs: &[&str], lengths: &[u8]) -> Self {
        Self::with(pod_cidrs, lengths, &[])
    }

    fn with(pod_cidrs: &[&str], lengths: &[u8], more: &'static [&str]) -> Self {
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount"])
            .args(["--propagation", "private"])
            .args(more)
            .args(["sh", "-c", SETUP])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare(1) is in util-linux");
        let mut line = String::new();
        let stdout = holder.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "user namespaces are not allowed here");
        let config = json!({
            "cniVersion": "1.1.0", "name": "net", "type": "flatland",
            "ipam": {
                "type": "flatland-ipam", "podCIDRs": pod_cidrs, "subnetLengths": lengths,
                "nodeName": "n1",
            },
        });
        Self {
            holder,
            more,
            config,
            program: env!("CARGO_BIN_EXE_flatland-ipam"),
        }
    }

    fn enter(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--user", "--mount", "--preserve-credentials", "--target"])
            .arg(self.holder.id().to_string())
            .args(self.more)
            .arg(program);
        command
    }

    /// Runs a shell script in the sandbox; it has to succeed.
    pub(crate) fn shell(&self, script: &str) -> String {
        let output = self.enter("sh").args(["-ec", script]).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The names in a folder below the ledger.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let list = self.shell(&format!("ls /run/flatland/net/{folder}"));
        list.lines().map(str::to_owned).collect()
    }

    /// Starts a call of a verb for a pod.
    pub(crate) fn start(&self, verb: &str, pod: &str, config: &Value) -> Child {
        let mut child = self
            .enter(self.program)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("CNI_COMMAND", verb)
            .env("CNI_CONTAINERID", pod)
            .env("CNI_IFNAME", "eth0")
            .env("CNI_NETNS", "/proc/self/ns/net")
            .env("CNI_PATH", "/opt/cni/bin")
            .env(
                "CNI_ARGS",
                format!(
                    "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={pod};\
                     K8S_POD_UID=uid-of-{pod}"
                ),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsenter(1) is in util-linux");
        // A process that was killed does not read.
        let _ = child
            .stdin
            .take()
            .unwrap()
            .write_all(config.to_string().as_bytes());
        child
    }

    /// Calls a verb for a pod, with another configuration.
    pub(crate) fn call_with(&self, verb: &str, pod: &str, config: &Value) -> PluginOutput {
        self.start(verb, pod, config)
            .wait_with_output()
            .unwrap()
            .into()
    }

    /// Calls a verb for a pod.
    pub(crate) fn call(&self, verb: &str, pod: &str) -> PluginOutput {
        self.call_with(verb, pod, &self.config)
    }

    /// ADD; it has to succeed.
    pub(crate) fn add(&self, pod: &str) -> Vec<String> {
        self.call("ADD", pod).addresses()
    }

    /// DEL; it has to succeed.
    pub(crate) fn del(&self, pod: &str) {
        let answer = self.call("DEL", pod);
        assert!(answer.ok && answer.json.is_null(), "{answer:?}");
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // The process that holds the namespace ends with its standard input.
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
