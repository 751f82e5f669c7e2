//! Restricts the conflist's CNI versions to those that all plugins of the chain support. A runtime
//! takes the newest version that both it and the conflist support, without asking the plugins: a
//! plugin that does not support it would fail every pod.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use daemonkit::OnChange;
use tracing::{info, warn};
use wire::cni::{CniVersion, supported_versions};
use wire::conf::Conflist;

/// The versions of each plugin. A plugin is asked again when its file has changed.
#[derive(Debug, Default)]
pub(crate) struct CniVersions {
    folder: PathBuf,
    answers: BTreeMap<String, (FileStamp, BTreeSet<CniVersion>)>,
    unsupported: OnChange,
}

/// Inode, size and times: they differ when another file takes the place of this one.
type FileStamp = [u64; 4];

impl CniVersions {
    /// Plugins are in `folder`; none is asked yet.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            ..Self::default()
        }
    }

    /// The conflist without the versions that a plugin of the chain does not support. A plugin that
    /// cannot be asked is taken to support `cniVersion` only: losing STATUS and GC is better than
    /// pods that fail. A plugin that is not in the folder is taken to support all versions.
    pub(crate) fn restrict(&mut self, conflist: &Conflist) -> Conflist {
        let offered = conflist.versions();
        let basic: BTreeSet<CniVersion> = offered.first().copied().into_iter().collect();
        let others = conflist.others();
        let answers =
            others.filter_map(|name| Some((name.to_owned(), self.versions_of(name, &basic)?)));
        let answers: BTreeMap<_, _> = answers.collect();
        let unknown = unknown(&offered, &answers);
        self.log_unknown(conflist, &unknown);
        conflist
            .clone()
            .without_versions(&unknown.into_keys().collect())
    }

    /// The versions that a plugin supports, if it is there; `basic` if it does not answer.
    fn versions_of(
        &mut self,
        name: &str,
        basic: &BTreeSet<CniVersion>,
    ) -> Option<BTreeSet<CniVersion>> {
        // Runtimes reject such a name.
        if name.contains('/') {
            return None;
        }
        let path = self.folder.join(name);
        let stamp = stamp(&path).ok()?;
        match self.answers.get(name) {
            Some((known, answer)) if *known == stamp => return Some(answer.clone()),
            _ => {}
        }
        let Some(answer) = supported_versions(&path) else {
            return Some(basic.clone());
        };
        self.answers
            .insert(name.to_owned(), (stamp, answer.clone()));
        Some(answer)
    }

    fn log_unknown(&mut self, conflist: &Conflist, unknown: &BTreeMap<CniVersion, Vec<String>>) {
        let lines = unknown.iter().map(|(version, plugins)| {
            let plugins = plugins.join(" and ");
            if conflist.versions().first() == Some(version) {
                format!("pods will fail: CNI {version}, the conflist's cniVersion, is unknown to {plugins}")
            } else {
                format!("the installed conflist does not offer CNI {version}, which is unknown to {plugins}")
            }
        });
        let text = lines.collect::<Vec<_>>().join("; ");
        if text.is_empty() {
            if self.unsupported.clear() {
                info!("all plugins of the conflist know what it offers");
            }
        } else if self.unsupported.changed(&text) {
            warn!("{text}: newer plugins help");
        }
    }
}

/// The versions that a plugin does not support, each with these plugins.
fn unknown(
    offered: &[CniVersion],
    answers: &BTreeMap<String, BTreeSet<CniVersion>>,
) -> BTreeMap<CniVersion, Vec<String>> {
    let mut unknown: BTreeMap<CniVersion, Vec<String>> = BTreeMap::new();
    for version in offered.iter().collect::<BTreeSet<_>>() {
        for (plugin, known) in answers {
            if !known.contains(version) {
                unknown.entry(*version).or_default().push(plugin.clone());
            }
        }
    }
    unknown
}

fn stamp(path: &Path) -> io::Result<FileStamp> {
    let file = fs::metadata(path)?;
    Ok([
        file.ino(),
        file.size(),
        file.mtime().cast_unsigned(),
        file.ctime_nsec().cast_unsigned(),
    ])
}

#[cfg(test)]
mod tests;
