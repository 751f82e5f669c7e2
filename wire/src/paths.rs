//! The folders of a network on a node.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The folder of all networks for state that ends with a reboot.
pub const RUN_DIR: &str = "/run/flatland";

/// Files of ours in [`RUN_DIR`] whose names could be those of networks: no network may have them.
/// (Other files begin with a dot, and no network does.)
pub const RESERVED_NAMES: [&str; 5] = [
    "routed.lock",
    "routed.sock",
    "policy.lock",
    "policy.ready",
    "policy.sock",
];

/// The lock file that `flatland-policy` holds while it runs.
pub const POLICY_LOCK: &str = "/run/flatland/policy.lock";

/// The mark that `flatland-policy` makes once its table is in the kernel. Both end with a reboot.
pub const POLICY_READY: &str = "/run/flatland/policy.ready";

/// The socket on which `flatland-policy` answers commands.
pub const POLICY_SOCKET: &str = "/run/flatland/policy.sock";

/// State that ends with a reboot, as pods do.
pub fn run_dir(network: &str) -> PathBuf {
    Path::new(RUN_DIR).join(network)
}

/// State that survives reboots: the subnets that the node owns.
pub fn state_dir(network: &str) -> PathBuf {
    Path::new("/var/lib/flatland").join(network)
}

/// Creates a folder and the missing ones above it: all users may read, the owner may write, also if
/// the umask allows more.
pub fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

#[cfg(test)]
mod tests;
