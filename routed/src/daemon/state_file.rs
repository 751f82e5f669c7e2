//! What must survive a restart of the daemon, but not one of the node: how far the registry was
//! seen, and which routes are held against it.
//!
//! Without it a wiped registry would be believed by the next start of the daemon, as soon as this
//! node's own claims are back in it, and its peers' routes be withdrawn before they are back too.
//! The file lives where the kernel's routes live: until the next boot.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};
use wire::atomic_file;
use wire::node::NodeName;

use crate::log::OnChange;
use crate::rib::Rib;
use crate::rib::held::{LastSeen, Owners};
use crate::text::few;

/// The file `routed.json` in a network's folder under `/run`, and what is in it.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    content: Content,
    /// What [`Rib::held_version`] was at the last update.
    version: Option<u64>,
    trouble: OnChange,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    /// The etcd cluster that was seen.
    cluster: Option<u64>,
    /// The revision at which it was last seen whole.
    #[serde(default)]
    revision: i64,
    /// The subnets whose routes stay although the registry does not show their claims.
    #[serde(default)]
    held: Owners,
}

impl StateFile {
    /// Reads the file in `folder`. One that is absent or broken remembers nothing.
    pub(crate) fn load_state(folder: &Path) -> Self {
        let path = folder.join("routed.json");
        let content = load(&path).unwrap_or_else(|why| {
            warn!("{} is ignored: {why}", path.display());
            Content::default()
        });
        Self {
            path,
            content,
            version: None,
            trouble: OnChange::default(),
        }
    }

    /// How far the registry was seen.
    pub(crate) fn seen(&self) -> LastSeen {
        LastSeen {
            cluster: self.content.cluster,
            revision: self.content.revision,
        }
    }

    /// The subnets that were held.
    pub(crate) fn held(&self) -> &Owners {
        &self.content.held
    }

    /// Why it cannot be written, in words.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.current()
    }

    /// Remembers what `peers` believes now, and says so when routes come to be held or are no
    /// longer. The revision alone is reason to write only when the registry was seen whole.
    pub(crate) fn update(&mut self, peers: &Rib, whole: bool) {
        let version = Some(peers.held_version());
        if !whole && version == self.version {
            return;
        }
        self.version = version;
        let held = peers.held();
        if !whole && held == self.content.held {
            return;
        }
        self.log_change(peers, &held);
        let seen = peers.last_seen();
        let content = Content {
            cluster: seen.cluster,
            revision: seen.revision,
            held,
        };
        if content == self.content {
            return;
        }
        self.content = content;
        let text = serde_json::to_vec(&self.content).map_err(io::Error::from);
        match text.and_then(|text| atomic_file::replace(&self.path, &text)) {
            Ok(_) => drop(self.trouble.clear()),
            Err(why) => {
                let text = format!("cannot write {}: {why}", self.path.display());
                if self.trouble.changed(&text) {
                    error!("{text}; after a restart held routes would be taken for stale");
                }
            }
        }
    }

    fn log_change(&self, peers: &Rib, held: &Owners) {
        let is_new = |(subnet, _): &(&IpNet, _)| !self.content.held.contains_key(subnet);
        let added: Vec<_> = held.iter().filter(is_new).map(shown).collect();
        if !added.is_empty() {
            let why = peers.distrust().map(ToString::to_string);
            error!(
                "{}: nothing is withdrawn on its word. The routes to {} stay until their nodes \
                 claim them again. Of nodes that are gone for good `routed forget` lets them go",
                why.unwrap_or_else(|| "the registry forgot claims".to_owned()),
                few(&added)
            );
        } else if held.is_empty() && !self.content.held.is_empty() {
            info!(
                "no route is held any more: every peer has claimed its subnets again, or is \
                 forgotten"
            );
        }
    }
}

fn load(path: &Path) -> io::Result<Content> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::from),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Content::default()),
        Err(error) => Err(error),
    }
}

/// `10.244.3.0/24 (n3)`.
fn shown((subnet, node): (&IpNet, &Option<NodeName>)) -> String {
    match node {
        Some(node) => format!("{subnet} ({node})"),
        None => subnet.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rib::path::Desired;
    use crate::rib::path::Path as Way;

    fn peers(held: &[&str]) -> Rib {
        let subnets = held.iter().map(|subnet| subnet.parse::<IpNet>().unwrap());
        let found: Desired = subnets.map(|subnet| (subnet, Way::Unreachable)).collect();
        let seen = LastSeen {
            cluster: Some(7),
            revision: 42,
        };
        let n3 = NodeName::new("n3").unwrap();
        let firm = found.keys().map(|subnet| (*subnet, Some(n3.clone())));
        let firm = firm.collect();
        Rib::new(seen, &found, &firm)
    }

    #[test]
    fn what_was_held_and_seen_is_recalled() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = StateFile::load_state(folder.path());
        assert_eq!(memory.seen(), LastSeen::default());
        let peers = peers(&["10.244.3.0/24"]);
        memory.update(&peers, false);
        let recalled = StateFile::load_state(folder.path());
        assert_eq!(recalled.seen(), peers.last_seen());
        assert_eq!(*recalled.held(), peers.held());
    }

    #[test]
    fn a_later_revision_is_written_only_when_the_registry_was_seen_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = StateFile::load_state(folder.path());
        memory.update(&peers(&[]), false);
        assert!(!memory.path.exists());
        memory.update(&peers(&[]), true);
        assert_eq!(StateFile::load_state(folder.path()).seen().revision, 42);
    }

    #[test]
    fn a_broken_file_remembers_nothing_and_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("routed.json"), b"{").unwrap();
        let mut memory = StateFile::load_state(folder.path());
        assert!(memory.held().is_empty());
        memory.update(&peers(&["10.244.3.0/24"]), false);
        assert_eq!(StateFile::load_state(folder.path()).held().len(), 1);
    }
}
