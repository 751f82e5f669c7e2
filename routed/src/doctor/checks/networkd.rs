//! Check: does systemd-networkd remove routes that other programs added (networkd.conf(5))?

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::doctor::ini::{self, IniLine};

const CHECK: &str = "systemd-networkd";

const FIX: &str = "write \"[Network]\" and \"ManageForeignRoutes=no\", a line each, to \
                   /etc/systemd/networkd.conf.d/50-flatland.conf, then systemctl restart \
                   systemd-networkd";

/// The folder of its state, which it creates when it starts.
const STATE_FOLDER: &str = "run/systemd/netif";

/// The folders of its configuration. A file hides files of the same name in later folders.
const CONFIG_FOLDERS: [&str; 4] = [
    "etc/systemd",
    "run/systemd",
    "usr/local/lib/systemd",
    "usr/lib/systemd",
];

pub(super) fn check(_: &CheckContext<'_>) -> Vec<Finding> {
    vec![examine(inspect(Path::new("/")).as_ref())]
}

/// What systemd-networkd does with routes that other programs added.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Networkd {
    /// Whether it removes them when it configures a link anew.
    manages_foreign_routes: bool,
    /// The file that configures it; `None` for the default.
    file: Option<PathBuf>,
}

fn examine(networkd: Option<&Networkd>) -> Finding {
    let Some(networkd) = networkd else {
        return Finding::ok(CHECK, "does not run");
    };
    let file = networkd.file.as_ref();
    let file = file.map_or("the default".to_owned(), |path| path.display().to_string());
    if networkd.manages_foreign_routes {
        let text = format!(
            "runs with ManageForeignRoutes=yes ({file}): it removes pods' routes when it configures \
             a link anew"
        );
        Finding::broken(CHECK, text).fix(FIX)
    } else {
        Finding::ok(CHECK, format!("runs with ManageForeignRoutes=no ({file})"))
    }
}

/// Reads its configuration below `root`. `None` if it does not run.
fn inspect(root: &Path) -> Option<Networkd> {
    if !root.join(STATE_FOLDER).exists() {
        return None;
    }
    let mut found = Networkd {
        manages_foreign_routes: true,
        file: None,
    };
    for path in config_files(root) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        if let Some(manages_foreign_routes) = manages_foreign_routes(&text) {
            found = Networkd {
                manages_foreign_routes,
                file: Some(Path::new("/").join(path.strip_prefix(root).unwrap_or(&path))),
            };
        }
    }
    Some(found)
}

/// In the order in which systemd reads them: each overrides the ones before.
fn config_files(root: &Path) -> Vec<PathBuf> {
    let main = CONFIG_FOLDERS.map(|folder| root.join(folder).join("networkd.conf"));
    let main = main.into_iter().find(|path| path.is_file());
    let mut drop_ins = BTreeMap::new();
    for folder in CONFIG_FOLDERS.iter().rev() {
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

/// The last value that a file gives, if it gives one.
fn manages_foreign_routes(text: &str) -> Option<bool> {
    let is_it =
        |line: &IniLine<'_>| (line.section, line.key) == ("[Network]", "ManageForeignRoutes");
    let last = ini::settings(text).filter(is_it).last()?;
    let value = last.value.to_ascii_lowercase();
    Some(!["no", "false", "0", "off", "n", "f"].contains(&value.as_str()))
}

#[cfg(test)]
mod tests;
