//! Which of several machines with one machine id this is: a random id in the network's folder in
//! `/run`, made once per boot.
//!
//! A clone of a machine has its `/etc/machine-id` and perhaps its disk, but not its `/run`. The
//! programs of one machine (`routed` after a restart, `flatland-claim`) share the id.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::ifaddrs::getifaddrs;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::files;
use crate::protocol::view::PresenceView;

/// The session of this machine in one network, from boot to boot.
#[derive(Debug)]
pub struct Session {
    id: String,
    folder: Option<PathBuf>,
    /// Whether this session has held the node's name.
    has_held: AtomicBool,
    /// This machine's addresses, read only if the session has not held the name yet.
    addresses: Vec<IpAddr>,
    /// The addresses in the presences that this process wrote, or tried to write.
    shown: Mutex<Vec<Option<IpAddr>>>,
}

/// The content of `session.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SessionFile {
    id: String,
    has_held: bool,
}

impl Session {
    /// Reads `session.json` in `folder`, which must be on a file system that ends with a reboot.
    /// Creates it if it does not exist or cannot be parsed.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let stored = locked(folder, |known| {
            known.filter(|it| is_id(&it.id)).map_or_else(
                || {
                    Ok(SessionFile {
                        id: random_id()?,
                        has_held: false,
                    })
                },
                Ok,
            )
        })?;
        let addresses = if stored.has_held {
            Vec::new()
        } else {
            own_addresses()
        };
        Ok(Self {
            folder: Some(folder.to_owned()),
            ..Self::new(&stored.id, stored.has_held, addresses)
        })
    }

    /// The id that is stored in `folder`, if there is one. Changes nothing.
    pub fn stored_id(folder: &Path) -> Option<String> {
        let stored: Option<SessionFile> = files::read(&folder.join(FILE)).ok().flatten();
        stored.map(|it| it.id)
    }

    pub(crate) fn new(id: &str, has_held: bool, addresses: Vec<IpAddr>) -> Self {
        Self {
            id: id.to_owned(),
            folder: None,
            has_held: AtomicBool::new(has_held),
            addresses,
            shown: Mutex::default(),
        }
    }

    /// The id, as in records.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// This session holds the node's name. Stores that, and the id again if the file was deleted
    /// meanwhile.
    pub(crate) fn mark_held(&self) -> Result<(), Error> {
        let is_known = self.has_held.swap(true, Ordering::Relaxed);
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        if is_known && folder.join(FILE).exists() {
            return Ok(());
        }
        locked(folder, |_| {
            Ok(SessionFile {
                id: self.id.clone(),
                has_held: true,
            })
        })
        .map(drop)
    }

    /// This process is about to write a presence with this address.
    pub(crate) fn mark_shown(&self, address: Option<IpAddr>) {
        let mut shown = self.shown.lock().expect("no panic while it is locked");
        if !shown.contains(&address) {
            shown.push(address);
        }
    }

    /// Whether `presence` is of this machine: of this session, or of the machine's previous boot.
    /// A virtual machine that was copied while it ran shares the id with its copy; they differ by
    /// their addresses. The previous boot is recognised by the address. That counts only until this
    /// session has held the name, so that two machines with one address do not take turns.
    pub(crate) fn is_own(&self, presence: &PresenceView) -> bool {
        if presence.session.as_deref() == Some(self.id.as_str()) {
            let shown = self.shown.lock().expect("no panic while it is locked");
            return shown.is_empty() || shown.contains(&presence.address);
        }
        let is_new = !self.has_held.load(Ordering::Relaxed);
        is_new
            && presence
                .address
                .is_some_and(|it| self.addresses.contains(&it))
    }
}

const FILE: &str = "session.json";

/// Replaces the file's content under its lock.
fn locked(
    folder: &Path,
    change: impl FnOnce(Option<SessionFile>) -> Result<SessionFile, Error>,
) -> Result<SessionFile, Error> {
    files::make_folder(folder)?;
    let _lock = files::lock(&folder.join("session.lock"))?;
    let path = folder.join(FILE);
    let known = match files::read::<SessionFile>(&path) {
        Err(Error::CorruptFile { .. }) => None,
        known => known?,
    };
    let stored = change(known.clone())?;
    if known.as_ref() != Some(&stored) {
        files::write(&path, &stored)?;
    }
    Ok(stored)
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64
}

fn random_id() -> Result<String, Error> {
    let path = Path::new("/proc/sys/kernel/random/uuid");
    let id = fs::read_to_string(path).map_err(Error::io("read", path))?;
    Ok(id.trim().to_owned())
}

/// The addresses of this machine; none if they cannot be read.
fn own_addresses() -> Vec<IpAddr> {
    let interfaces = getifaddrs().into_iter().flatten();
    let addresses = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|it| IpAddr::V4(it.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip())))
    });
    addresses.filter(|it| !it.is_loopback()).collect()
}

#[cfg(test)]
mod tests;
