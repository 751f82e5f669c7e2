//! The folders of a network on a node.

use std::path::{Path, PathBuf};

/// Where a network keeps what dies with a reboot, as the pods do.
pub fn run_dir(network: &str) -> PathBuf {
    Path::new("/run/flatland").join(network)
}

/// Where a network keeps what the node owns across reboots.
pub fn state_dir(network: &str) -> PathBuf {
    Path::new("/var/lib/flatland").join(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_per_network() {
        assert_eq!(run_dir("blue"), Path::new("/run/flatland/blue"));
        assert_eq!(state_dir("blue"), Path::new("/var/lib/flatland/blue"));
    }
}
