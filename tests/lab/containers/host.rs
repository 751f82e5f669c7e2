//! Containers with the host's network, with the capabilities and mounts of a Kubernetes manifest.

/// The default capabilities of `ctr run` (`oci.defaultUnixCaps`).
const DEFAULT_CAPABILITIES: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// A container in the network namespace of its node, with only the rights that are listed here.
#[derive(Debug, Clone)]
pub struct HostContainer {
    /// The name, unique on the machine.
    pub name: String,
    /// The image's name.
    pub image: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Environment variables: names and values.
    pub environment: Vec<(String, String)>,
    /// Its capabilities, without `CAP_`.
    pub capabilities: Vec<String>,
    /// Whether its root is read-only.
    pub read_only: bool,
    /// Files and folders of the node.
    pub mounts: Vec<Mount>,
}

/// A file or folder of the node in a container.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Where it is on the node.
    pub source: String,
    /// Where it is in the container.
    pub target: String,
    /// Whether the container may not write to it.
    pub read_only: bool,
    /// Whether later mounts of the node appear in the container (rslave).
    pub propagates: bool,
}

impl HostContainer {
    /// The flags of `ctr run`.
    pub(super) fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        if self.read_only {
            flags.push("--read-only".to_owned());
        }
        // ctr drops after it has added.
        let is_wanted = |it: &&str| self.capabilities.iter().any(|wanted| wanted == it);
        for capability in DEFAULT_CAPABILITIES.iter().filter(|it| !is_wanted(it)) {
            flags.push(format!("--cap-drop=CAP_{capability}"));
        }
        for capability in &self.capabilities {
            flags.push(format!("--cap-add=CAP_{capability}"));
        }
        for (name, value) in &self.environment {
            flags.push(format!("--env={name}={value}"));
        }
        flags.extend(self.mounts.iter().map(Mount::flag));
        flags
    }
}

impl Mount {
    fn flag(&self) -> String {
        let mut options = vec!["rbind"];
        options.extend(self.propagates.then_some("rslave"));
        options.push(if self.read_only { "ro" } else { "rw" });
        format!(
            "--mount=type=bind,src={},dst={},options={}",
            self.source,
            self.target,
            options.join(":")
        )
    }
}
