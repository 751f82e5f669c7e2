//! The folders of a network on a node.

use std::path::{Path, PathBuf};

/// State that ends with a reboot, as pods do.
pub fn run_dir(network: &str) -> PathBuf {
    Path::new("/run/flatland").join(network)
}

/// State that survives reboots: the subnets that the node owns.
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
