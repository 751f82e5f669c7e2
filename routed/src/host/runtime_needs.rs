//! The programs that a container runtime needs for a pod, besides the conflist: ours, the other
//! plugins of the chain, and `loopback`, which containerd runs for every pod. CRI-O brings the
//! loopback link up by itself. Of the other plugins, some are left out of the chain where they are
//! missing: pods work without them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use daemonkit::OnChange;
use tracing::{info, warn};
use wire::conf::{Conflist, PROGRAMS};

use crate::text::list;

/// The plugin that containerd runs for every pod.
const LOOPBACK: &str = "loopback";

/// Plugins of the chain that most pods can do without, and what they are for.
const OPTIONAL: [(&str, &str); 2] = [("portmap", "hostPort"), ("bandwidth", "bandwidth limits")];

/// Sockets of containerd, also that of k3s.
const CONTAINERD_SOCKETS: [&str; 2] = [
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
];

/// What is missing in the folder of the plugins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    /// Programs without which every pod fails.
    pub(crate) chain: Vec<PathBuf>,
    /// The names of plugins that are left out of the chain.
    pub(crate) optional: Vec<&'static str>,
    /// `loopback`, if containerd is here or may be.
    pub(crate) loopback: Option<PathBuf>,
}

/// Looks for what is missing in `folder`, with the chain of `conflist`.
pub(crate) fn find_missing(folder: &Path, conflist: Option<&Conflist>) -> Missing {
    let others = conflist.into_iter().flat_map(Conflist::others);
    // Runtimes reject a name with a slash.
    let chain = PROGRAMS.into_iter().chain(others);
    let missing = chain.filter(|name| !name.contains('/') && !is_program(&folder.join(name)));
    let missing: Vec<_> = missing.collect();
    let optional = OPTIONAL.map(|(name, _)| name);
    let needed = missing.iter().filter(|name| !optional.contains(name));
    let loopback = folder.join(LOOPBACK);
    Missing {
        chain: needed.map(|name| folder.join(name)).collect(),
        optional: optional
            .into_iter()
            .filter(|name| missing.contains(name))
            .collect(),
        loopback: (!is_program(&loopback)).then_some(loopback),
    }
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

/// Whether containerd runs the pods of this node and needs `loopback`, as far as this process can
/// see.
pub(crate) fn uses_containerd() -> bool {
    let has_socket = CONTAINERD_SOCKETS
        .iter()
        .any(|path| Path::new(path).exists());
    let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let config = || fs::read_to_string("/etc/containerd/config.toml").unwrap_or_default();
    (has_socket || is_of_containerd(&mounts())) && !has_internal_loopback(&config())
}

/// Whether the process with these mounts (`/proc/self/mountinfo`) is in a container of containerd:
/// the layers of its root are in a folder of containerd.
fn is_of_containerd(mounts: &str) -> bool {
    let mut lines = mounts.lines();
    lines.any(|line| {
        let target = line.split(' ').nth(4);
        target == Some("/") && line.contains("/io.containerd.")
    })
}

/// Whether containerd brings the loopback link up by itself.
fn has_internal_loopback(config: &str) -> bool {
    config.lines().any(|line| {
        let line = line.split('#').next().unwrap_or_default();
        line.split_once('=').is_some_and(|(key, value)| {
            key.trim() == "use_internal_loopback" && value.trim() == "true"
        })
    })
}

/// What is missing, for the status and the log.
#[derive(Debug, Default)]
pub(super) struct RuntimeNeeds {
    chain: OnChange,
    loopback: OnChange,
    optional: OnChange,
    left_out: Vec<&'static str>,
    /// Whether containerd is used; found out once.
    uses_containerd: Option<bool>,
}

impl RuntimeNeeds {
    /// Looks for the programs, and logs what changed.
    pub(super) fn look(&mut self, folder: &Path, conflist: &Conflist) {
        let missing = find_missing(folder, Some(conflist));
        let needed = *self.uses_containerd.get_or_insert_with(uses_containerd);
        let loopback = missing.loopback.filter(|_| needed);
        note(&mut self.chain, chain_message(&missing.chain), folder);
        let optional = optional_message(&missing.optional, folder);
        note(&mut self.optional, optional, folder);
        self.left_out = missing.optional;
        note(
            &mut self.loopback,
            loopback.as_deref().map(loopback_message),
            folder,
        );
    }

    /// Without which programs every pod fails.
    pub(super) fn missing(&self) -> Option<&str> {
        self.chain.current()
    }

    /// The plugins of the chain that are left out of the installed conflist.
    pub(super) fn left_out(&self) -> &[&'static str] {
        &self.left_out
    }

    /// What pods cannot have without the plugins that are left out.
    pub(super) fn notice(&self) -> Option<&str> {
        self.optional.current()
    }

    /// What else is missing.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.loopback.current()
    }
}

fn note(known: &mut OnChange, text: Option<String>, folder: &Path) {
    match text {
        Some(text) if known.changed(&text) => warn!(path = %folder.display(), "{text}"),
        None if known.clear() => {
            info!(path = %folder.display(), "{} has the missing programs now", folder.display());
        }
        _ => {}
    }
}

/// The sentence about missing programs of the chain; `None` if none is missing.
pub(crate) fn chain_message(missing: &[PathBuf]) -> Option<String> {
    let paths: Vec<_> = missing.iter().map(|path| path.display()).collect();
    (!paths.is_empty()).then(|| {
        format!(
            "every pod fails without {}: routed install puts ours there, the other plugins are in \
             the release of the CNI plugins (containernetworking-plugins)",
            list(&paths)
        )
    })
}

/// The sentence about plugins that are left out of the chain; `None` if there are none.
pub(crate) fn optional_message(missing: &[&str], folder: &Path) -> Option<String> {
    let uses = OPTIONAL.iter().filter(|(name, _)| missing.contains(name));
    let uses: Vec<_> = uses.map(|(_, purpose)| *purpose).collect();
    (!missing.is_empty()).then(|| {
        format!(
            "pods on this node have no {}: {} has no {}, which the installed conflist leaves out \
             (the release of the CNI plugins has them, containernetworking-plugins)",
            uses.join(" and no "),
            folder.display(),
            missing.join(" and no "),
        )
    })
}

/// The sentence about a missing `loopback`.
pub(crate) fn loopback_message(path: &Path) -> String {
    format!(
        "containerd makes no pod without {}: it is in the release of the CNI plugins \
         (containernetworking-plugins)",
        path.display()
    )
}

#[cfg(test)]
mod tests;
