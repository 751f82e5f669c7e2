//! What `routed install` puts on a node. `routed uninstall` removes the same, and looks for it again
//! before it says that nothing is left.

use std::path::{Path, PathBuf};

use wire::conf::{EtcdConfig, PROGRAMS};

/// The folder for files of Flatland alone. What a conflist names elsewhere may be used by others.
pub(super) const FOLDER: &str = "/etc/flatland";

/// The files for etcd that the shipped conflist names.
const SHIPPED_ETCD_FILES: [&str; 3] = [
    "/etc/flatland/etcd/ca.crt",
    "/etc/flatland/etcd/client.crt",
    "/etc/flatland/etcd/client.key",
];

/// The programs in the folder of the plugins, in the order of their installation.
pub(super) fn programs(folder: &Path) -> [PathBuf; PROGRAMS.len()] {
    PROGRAMS.map(|name| folder.join(name))
}

/// The files for etcd that a conflist names.
pub(super) fn etcd_files(etcd: &EtcdConfig) -> Vec<PathBuf> {
    let named = [&etcd.ca_file, &etcd.cert_file, &etcd.key_file];
    named.into_iter().flatten().cloned().collect()
}

/// The files for etcd of these conflists and of the shipped one: those in our folder, and others.
pub(super) fn all_etcd_files<'a>(
    conflists: impl Iterator<Item = &'a EtcdConfig>,
) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let named = conflists.flat_map(etcd_files);
    let mut all: Vec<PathBuf> = SHIPPED_ETCD_FILES
        .map(PathBuf::from)
        .into_iter()
        .chain(named)
        .collect();
    all.sort();
    all.dedup();
    all.into_iter().partition(|path| path.starts_with(FOLDER))
}

#[cfg(test)]
mod tests;
