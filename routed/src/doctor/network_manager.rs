//! Whether `NetworkManager` runs, and whether it leaves the interfaces of pods alone
//! (NetworkManager.conf(5)).

use std::fs;
use std::path::{Path, PathBuf};

use super::NetworkManager;

/// Made by it when it starts.
const RUNS: &str = "run/NetworkManager";

/// Where its configuration is.
const FOLDERS: [&str; 3] = [
    "etc/NetworkManager/conf.d",
    "run/NetworkManager/conf.d",
    "usr/lib/NetworkManager/conf.d",
];

const MAIN: &str = "etc/NetworkManager/NetworkManager.conf";

/// Looks below `root`. `None` where it does not run.
pub(super) fn inspect(root: &Path) -> Option<NetworkManager> {
    if !root.join(RUNS).exists() {
        return None;
    }
    let in_folders = FOLDERS.iter().flat_map(|folder| {
        let entries = fs::read_dir(root.join(folder));
        let entries = entries.into_iter().flatten().flatten();
        entries.map(|entry| entry.path())
    });
    let mut files: Vec<PathBuf> = [root.join(MAIN)].into_iter().chain(in_folders).collect();
    files.sort();
    let says = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| ignores_pod_links(&text));
    let said_in = files.into_iter().find(says);
    let outside = |path: PathBuf| Path::new("/").join(path.strip_prefix(root).unwrap_or(&path));
    Some(NetworkManager {
        said_in: said_in.map(outside),
    })
}

/// Whether a file tells it to manage no interface whose name begins as those of pods do.
fn ignores_pod_links(text: &str) -> bool {
    let mut section = String::new();
    let mut spared = false;
    let mut matches = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            line.clone_into(&mut section);
            matches = false;
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let (key, value) = (key.trim(), value.trim());
        let names_pods = value
            .split([';', ','])
            .any(|part| part.trim() == "interface-name:flat*");
        match (section.as_str(), key) {
            ("[keyfile]", "unmanaged-devices") => spared |= names_pods,
            (name, "match-device") if name.starts_with("[device") => matches = names_pods,
            (name, "managed") if name.starts_with("[device") => {
                spared |= matches && ["0", "no", "false"].contains(&value);
            }
            _ => {}
        }
    }
    spared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_spare_an_interface_are_known() {
        for (text, expected) in [
            ("", false),
            ("[keyfile]\nunmanaged-devices=interface-name:flat*\n", true),
            (
                "[keyfile]\nunmanaged-devices=mac:00:11:22:33:44:55;interface-name:flat*",
                true,
            ),
            ("[main]\nunmanaged-devices=interface-name:flat*\n", false),
            (
                "[device-flatland]\nmatch-device=interface-name:flat*\nmanaged=0\n",
                true,
            ),
            (
                "[device-a]\nmatch-device=interface-name:flat*\n[device-b]\nmanaged=0\n",
                false,
            ),
        ] {
            assert_eq!(ignores_pod_links(text), expected, "{text}");
        }
    }

    #[test]
    fn it_is_only_asked_about_where_it_runs() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert_eq!(inspect(root), None);
        fs::create_dir_all(root.join(RUNS)).unwrap();
        assert_eq!(inspect(root).unwrap().said_in, None);
        fs::create_dir_all(root.join(FOLDERS[0])).unwrap();
        let text = "[keyfile]\nunmanaged-devices=interface-name:flat*\n";
        fs::write(root.join(FOLDERS[0]).join("flatland.conf"), text).unwrap();
        assert_eq!(
            inspect(root).unwrap().said_in.as_deref(),
            Some(Path::new("/etc/NetworkManager/conf.d/flatland.conf"))
        );
    }
}
