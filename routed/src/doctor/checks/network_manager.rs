//! Check: does `NetworkManager` leave the interfaces of pods alone (NetworkManager.conf(5))?

use std::fs;
use std::path::{Path, PathBuf};

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::doctor::ini;

const CHECK: &str = "NetworkManager";

const FIX: &str = "write \"[keyfile]\" and \"unmanaged-devices=interface-name:flat*\", a line \
                   each, to /etc/NetworkManager/conf.d/flatland.conf, then nmcli general reload";

/// The folder of its state, which it creates when it starts.
const STATE_FOLDER: &str = "run/NetworkManager";

const CONFIG_FILE: &str = "etc/NetworkManager/NetworkManager.conf";

const CONFIG_FOLDERS: [&str; 3] = [
    "etc/NetworkManager/conf.d",
    "run/NetworkManager/conf.d",
    "usr/lib/NetworkManager/conf.d",
];

pub(super) fn check(_: &CheckContext<'_>) -> Vec<Finding> {
    vec![examine(inspect(Path::new("/")).as_ref())]
}

/// What a running `NetworkManager` does with the interfaces of pods.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NetworkManager {
    /// The file that makes it ignore them.
    ignored_by: Option<PathBuf>,
}

fn examine(manager: Option<&NetworkManager>) -> Finding {
    let Some(manager) = manager else {
        return Finding::ok(CHECK, "does not run");
    };
    match &manager.ignored_by {
        Some(path) => {
            let path = path.display();
            Finding::ok(CHECK, format!("runs, and leaves flat* alone ({path})"))
        }
        None => Finding::warning(
            CHECK,
            "runs, and no file makes it leave the interfaces of pods (flat*) alone",
        )
        .fix(FIX),
    }
}

/// Reads its configuration below `root`. `None` if it does not run.
fn inspect(root: &Path) -> Option<NetworkManager> {
    if !root.join(STATE_FOLDER).exists() {
        return None;
    }
    let in_folders = CONFIG_FOLDERS.iter().flat_map(|folder| {
        let entries = fs::read_dir(root.join(folder));
        let entries = entries.into_iter().flatten().flatten();
        entries.map(|entry| entry.path())
    });
    let mut files: Vec<PathBuf> = [root.join(CONFIG_FILE)]
        .into_iter()
        .chain(in_folders)
        .collect();
    files.sort();
    let is_match =
        |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| ignores_pod_links(&text));
    let file = files.into_iter().find(is_match);
    let below_root = |path: PathBuf| Path::new("/").join(path.strip_prefix(root).unwrap_or(&path));
    Some(NetworkManager {
        ignored_by: file.map(below_root),
    })
}

/// Whether a file excludes interfaces with the name prefix of pods from management.
fn ignores_pod_links(text: &str) -> bool {
    // The device section whose `match-device` names pods.
    let mut matched = None;
    ini::settings(text).any(|line| {
        let mut names = line.value.split([';', ',']);
        let names_pods = names.any(|part| part.trim() == "interface-name:flat*");
        match line.key {
            "unmanaged-devices" => line.section == "[keyfile]" && names_pods,
            "match-device" if line.section.starts_with("[device") => {
                matched = names_pods.then_some(line.section);
                false
            }
            "managed" => {
                matched == Some(line.section) && ["0", "no", "false"].contains(&line.value)
            }
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests;
