//! CRI-O's default network, which counts more than the order of the files in the folder of the
//! configurations.

use std::fs;
use std::path::Path;

/// Where CRI-O is configured.
const FOLDER: &str = "/etc/crio";

/// What to say where the choice of CRI-O cannot be seen.
const UNSEEN: &str = "CRI-O runs this container, which does not see /etc/crio: if cni_default_network \
                      is set there, it decides which network pods get. Apply conf/overlays/crio";

/// With a default network, CRI-O takes that one, whatever the order of the files.
pub(super) fn obstacle(
    default: Option<String>,
    obstacle: Option<String>,
    network: &str,
) -> Option<String> {
    match default {
        None => obstacle,
        Some(default) if default == network => None,
        Some(default) => Some(format!(
            "CRI-O takes the network {default:?}, not {network:?}: change cni_default_network below \
             {FOLDER}"
        )),
    }
}

/// CRI-O's `cni_default_network`, if it is set: in `crio.conf`, and in the files of `crio.conf.d`,
/// of which the last one counts.
pub(super) fn default_network() -> Option<String> {
    default_network_in(Path::new(FOLDER))
}

fn default_network_in(folder: &Path) -> Option<String> {
    let mut drop_ins: Vec<_> = fs::read_dir(folder.join("crio.conf.d"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    drop_ins.sort();
    let files = [folder.join("crio.conf")].into_iter().chain(drop_ins);
    let mut texts = files.rev().filter_map(|path| fs::read_to_string(path).ok());
    let found = texts.find_map(|text| default_network_of(&text));
    found.filter(|network| !network.is_empty())
}

fn default_network_of(text: &str) -> Option<String> {
    text.lines().rev().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        let value = value.split('#').next()?.trim();
        (key.trim() == "cni_default_network").then(|| value.trim_matches(['"', '\'']).to_owned())
    })
}

/// What to say if this process is in a container of CRI-O that does not see CRI-O's configuration.
pub(crate) fn unseen() -> Option<&'static str> {
    let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let is_unseen = !Path::new(FOLDER).exists() && is_of_crio(&mounts());
    is_unseen.then_some(UNSEEN)
}

/// Whether the process with these mounts (`/proc/self/mountinfo`) is in a container of CRI-O: the
/// layers of its root are in the storage that CRI-O shares with podman, and kubelet made other mounts.
fn is_of_crio(mounts: &str) -> bool {
    let field = |line: &str, at: usize| line.split(' ').nth(at).unwrap_or_default().to_owned();
    let has_storage = mounts
        .lines()
        .any(|line| field(line, 4) == "/" && line.contains("/containers/storage/"));
    let is_of_kubelet = mounts
        .lines()
        .any(|line| field(line, 3).contains("/kubelet/pods/"));
    has_storage && is_of_kubelet
}

#[cfg(test)]
mod tests;
