//! What a container runtime finds in its folder of configurations, and whether it takes ours.
//!
//! containerd (go-cni, `loadFromConfDir`) and CRI-O (ocicni, `loadNetworks`) list the files that end
//! in `.conf`, `.conflist` and `.json`, sort them by name, and take the first. If it is not valid,
//! containerd takes none at all, and CRI-O the next one. CRI-O takes another one if
//! `cni_default_network` says so.

use std::fs;
use std::io;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde_json::Value;
use wire::conf::PLUGIN_TYPE;
use wire::state_file::read_linked;

use crate::host::crio;

/// The endings of the files that runtimes read.
const SUFFIXES: [&str; 3] = [".conf", ".conflist", ".json"];

/// The longest file that is read (go-cni's own limit is 2 MiB).
const MAX_SIZE: u64 = 2 << 20;

/// What is in the folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FolderView {
    /// The names and inode numbers of everything in it.
    pub(crate) entries: Vec<(String, u64)>,
    /// Our file.
    pub(crate) own: OwnFile,
    /// Why a runtime does not take our file although it is there, and what to do about it.
    pub(crate) obstacle: Option<String>,
}

/// The file with our conflist's name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum OwnFile {
    /// There is none.
    #[default]
    Missing,
    /// It cannot be read, for this reason.
    Unreadable(String),
    /// It is a symbolic link to this path.
    Link(PathBuf),
    /// It is a file.
    Found {
        content: Vec<u8>,
        /// The permission bits.
        mode: u32,
        inode: u64,
    },
}

/// Reads the folder of `path`, at which our conflist of `network` is or will be. An error if the
/// folder exists and cannot be listed.
pub(crate) fn read(path: &Path, network: &str) -> io::Result<FolderView> {
    let (Some(folder), Some(own)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidFilename.into());
    };
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(FolderView::default()),
        listed => listed?,
    };
    let (mut entries, mut files) = (Vec::new(), Vec::new());
    for entry in listed.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            files.push(name.clone());
        }
        entries.push((name, entry.ino()));
    }
    let own = own.to_string_lossy();
    let mut before = candidates_before(files, &own).into_iter();
    let obstacle = before.find_map(|name| {
        let content = read_linked(&folder.join(&name), MAX_SIZE).map_err(|error| error.to_string());
        obstacle(
            &name,
            content.and_then(|it| parse(&name, &it)),
            &own,
            network,
        )
    });
    let obstacle = obstacle.map(|why| format!("in {}, {why}", folder.display()));
    Ok(FolderView {
        entries,
        own: read_own(path),
        obstacle: crio::obstacle(crio::default_network(), obstacle, network),
    })
}

fn read_own(path: &Path) -> OwnFile {
    let read = || {
        let found = fs::symlink_metadata(path)?;
        if found.is_symlink() {
            return fs::read_link(path).map(OwnFile::Link);
        }
        Ok(OwnFile::Found {
            content: read_linked(path, MAX_SIZE)?,
            mode: found.mode() & 0o7777,
            inode: found.ino(),
        })
    };
    read().unwrap_or_else(|error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => OwnFile::Missing,
        _ => OwnFile::Unreadable(error.to_string()),
    })
}

/// The files that a runtime looks at before `own`, in its order.
fn candidates_before(mut names: Vec<String>, own: &str) -> Vec<String> {
    let is_read = |name: &str| SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
    names.retain(|name| is_read(name) && name.as_str() < own);
    names.sort();
    names
}

/// The network that a file configures.
#[derive(Debug, PartialEq, Eq)]
struct ConfiguredNetwork {
    network: String,
    plugins: Vec<String>,
    json: Value,
}

/// Parses a file as libcni does. The error says why a runtime refuses it.
fn parse(name: &str, content: &[u8]) -> Result<ConfiguredNetwork, String> {
    if content.is_empty() {
        return Err("it is empty".to_owned());
    }
    let json: Value = serde_json::from_slice(content).map_err(|error| error.to_string())?;
    let network = json["name"].as_str().unwrap_or_default().to_owned();
    let entries = match json.get("plugins").filter(|_| name.ends_with(".conflist")) {
        Some(plugins) => plugins.as_array().cloned().unwrap_or_default(),
        None => vec![json.clone()],
    };
    let plugins = entries
        .iter()
        .map(|entry| entry["type"].as_str().filter(|it| !it.is_empty()));
    let plugins: Option<Vec<String>> = plugins.map(|it| it.map(str::to_owned)).collect();
    match plugins {
        Some(plugins) if !plugins.is_empty() => Ok(ConfiguredNetwork {
            network,
            plugins,
            json,
        }),
        _ => Err("it names no plugin".to_owned()),
    }
}

/// Whether the network hands pods on to ours, as a meta-plugin such as Multus does: it is not ours,
/// and names our network or our file below its own name.
fn delegates(candidate: &ConfiguredNetwork, own: &str, network: &str) -> bool {
    let is_ours = candidate.plugins.iter().any(|plugin| plugin == PLUGIN_TYPE);
    let mut rest = candidate.json.clone();
    rest["name"].take();
    !is_ours && names(&rest, own, network)
}

fn names(json: &Value, own: &str, network: &str) -> bool {
    match json {
        Value::String(text) => text == network || text.rsplit('/').next() == Some(own),
        Value::Array(items) => items.iter().any(|item| names(item, own, network)),
        Value::Object(fields) => fields.values().any(|value| names(value, own, network)),
        _ => false,
    }
}

/// Why a runtime does not take `own` because of the file `name`, which it looks at before.
fn obstacle(
    name: &str,
    candidate: Result<ConfiguredNetwork, String>,
    own: &str,
    network: &str,
) -> Option<String> {
    match candidate {
        Ok(candidate) if delegates(&candidate, own, network) => None,
        Ok(candidate) => Some(format!(
            "the container runtime takes {name} (network {:?}, plugin {}), which sorts before \
             {own}: uninstall that plugin, or move {name} out of the folder",
            candidate.network,
            candidate.plugins.join(" and ")
        )),
        Err(why) => Some(format!(
            "{name}, which sorts before {own}, is no valid configuration ({why}), and containerd \
             takes no other: move {name} out of the folder"
        )),
    }
}

/// What another program did to our file, which was `expected` in the inode `inode`; `None` if it is
/// as it should be. The name is `own`.
pub(crate) fn tampering(
    view: &FolderView,
    own: &str,
    expected: &str,
    inode: Option<u64>,
) -> Option<String> {
    let name_of = |inode: u64| {
        let mut entries = view.entries.iter();
        let found = entries.find(|(name, number)| *number == inode && name != own)?;
        Some(found.0.as_str())
    };
    match &view.own {
        OwnFile::Missing => Some(match inode.and_then(name_of) {
            Some(name) => format!("renamed it to {name}"),
            None => match view.entries.iter().find(|(name, _)| name.starts_with(own)) {
                Some((name, _)) => format!("removed it and left {name}"),
                None => "removed it".to_owned(),
            },
        }),
        OwnFile::Unreadable(why) => Some(format!("made it unreadable ({why})")),
        OwnFile::Link(target) => Some(format!(
            "replaced it by a symbolic link to {}",
            target.display()
        )),
        OwnFile::Found { content, .. } if content.is_empty() => Some("emptied it".to_owned()),
        OwnFile::Found { content, .. } if content != expected.as_bytes() => {
            Some(match added_plugins(content, expected).as_slice() {
                [] => "changed its content".to_owned(),
                added => format!("added the plugin {} to it", added.join(" and ")),
            })
        }
        OwnFile::Found { mode: 0o644, .. } => None,
        OwnFile::Found { mode, .. } => Some(format!("changed its mode to {mode:04o}")),
    }
}

/// The plugins that the file has and `expected` has not.
fn added_plugins(content: &[u8], expected: &str) -> Vec<String> {
    let plugins = |text: &[u8]| parse(".conflist", text).map_or(Vec::new(), |it| it.plugins);
    let known = plugins(expected.as_bytes());
    let mut found = plugins(content);
    found.retain(|plugin| !known.contains(plugin));
    found
}

#[cfg(test)]
mod tests;
