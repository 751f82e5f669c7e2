//! Whether systemd-networkd runs, and what it does with routes that are not its own
//! (networkd.conf(5)).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::Networkd;

/// Made by systemd-networkd when it starts, for all it knows of links.
const RUNS: &str = "run/systemd/netif";

/// Where its configuration is; what is earlier hides files of the same name in what is later.
const FOLDERS: [&str; 4] = [
    "etc/systemd",
    "run/systemd",
    "usr/local/lib/systemd",
    "usr/lib/systemd",
];

/// Looks below `root`. `None` where it does not run.
pub(super) fn inspect(root: &Path) -> Option<Networkd> {
    if !root.join(RUNS).exists() {
        return None;
    }
    let mut found = Networkd {
        manages_foreign_routes: true,
        said_in: None,
    };
    for path in files(root) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        if let Some(yes) = manages_foreign_routes(&text) {
            found = Networkd {
                manages_foreign_routes: yes,
                said_in: Some(Path::new("/").join(path.strip_prefix(root).unwrap_or(&path))),
            };
        }
    }
    Some(found)
}

/// In the order in which they are read: each overrides the ones before.
fn files(root: &Path) -> Vec<PathBuf> {
    let main = FOLDERS.map(|folder| root.join(folder).join("networkd.conf"));
    let main = main.into_iter().find(|path| path.is_file());
    let mut drop_ins = BTreeMap::new();
    for folder in FOLDERS.iter().rev() {
        let entries = fs::read_dir(root.join(folder).join("networkd.conf.d"));
        for entry in entries.into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|it| it == "conf") {
                drop_ins.insert(entry.file_name(), path);
            }
        }
    }
    main.into_iter().chain(drop_ins.into_values()).collect()
}

/// What a file says, if it says anything.
fn manages_foreign_routes(text: &str) -> Option<bool> {
    let mut section = "";
    let mut said = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line;
        } else if let Some((key, value)) = line.split_once('=')
            && section == "[Network]"
            && key.trim() == "ManageForeignRoutes"
        {
            let value = value.trim().to_ascii_lowercase();
            said = Some(!["no", "false", "0", "off", "n", "f"].contains(&value.as_str()));
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_file_says_it_in_its_section_and_the_last_word_counts() {
        for (text, expected) in [
            ("", None),
            ("[Network]\nManageForeignRoutes=no\n", Some(false)),
            ("[Network]\n ManageForeignRoutes = FALSE\n", Some(false)),
            ("[Network]\nManageForeignRoutes=yes\n", Some(true)),
            ("[DHCPv4]\nManageForeignRoutes=no\n", None),
            ("[Network]\n#ManageForeignRoutes=no\n", None),
            (
                "[Network]\nManageForeignRoutes=yes\nManageForeignRoutes=no",
                Some(false),
            ),
        ] {
            assert_eq!(manages_foreign_routes(text), expected, "{text}");
        }
    }

    #[test]
    fn drop_ins_override_and_the_host_s_own_hide_those_of_packages() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        assert_eq!(inspect(root), None, "it does not run");

        fs::create_dir_all(root.join(RUNS)).unwrap();
        let default = inspect(root).unwrap();
        assert!(default.manages_foreign_routes && default.said_in.is_none());

        let no = "[Network]\nManageForeignRoutes=no\n";
        let yes = "[Network]\nManageForeignRoutes=yes\n";
        write(root, "usr/lib/systemd/networkd.conf.d/50-flatland.conf", no);
        assert!(!inspect(root).unwrap().manages_foreign_routes);
        write(root, "etc/systemd/networkd.conf", yes);
        assert!(!inspect(root).unwrap().manages_foreign_routes);
        write(root, "etc/systemd/networkd.conf.d/50-flatland.conf", yes);
        let found = inspect(root).unwrap();
        assert!(found.manages_foreign_routes);
        let path = "/etc/systemd/networkd.conf.d/50-flatland.conf";
        assert_eq!(found.said_in.as_deref(), Some(Path::new(path)));
    }
}
