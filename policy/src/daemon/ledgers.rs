//! Watches the ledgers of all networks of this node: an address file appears during ADD, before the
//! pod's first packet.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::{Path, PathBuf};

use daemonkit::readable::readable;
use ipam::{AllocationChange, AllocationReader};
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::unix::AsyncFd;
use tracing::warn;

/// Names appear, are renamed or vanish.
const NAMES: AddWatchFlags = AddWatchFlags::IN_CREATE
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_DELETE_SELF)
    .union(AddWatchFlags::IN_ONLYDIR);

/// The ledgers below a folder.
pub(super) struct LedgerWatch {
    root: PathBuf,
    events: AsyncFd<LedgerEvents>,
    /// By network.
    readers: BTreeMap<String, AllocationReader>,
}

struct LedgerEvents(Inotify);

impl AsRawFd for LedgerEvents {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// A change of the ledger of a network.
pub(super) type LedgerChange = (String, AllocationChange);

impl LedgerWatch {
    /// Watches the ledgers below `root`, a folder that exists.
    pub(super) fn new(root: &Path) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        inotify.add_watch(root, NAMES)?;
        Ok(Self {
            root: root.to_owned(),
            events: readable(LedgerEvents(inotify))?,
            readers: BTreeMap::new(),
        })
    }

    /// Waits until something may have changed since the last call of [`LedgerWatch::changes`].
    pub(super) async fn changed(&mut self) -> io::Result<()> {
        let mut guard = self.events.readable_mut().await?;
        loop {
            match guard.get_inner().0.read_events() {
                Ok(_) => {}
                Err(Errno::EAGAIN) => break,
                Err(errno) => return Err(errno.into()),
            }
        }
        guard.clear_ready();
        Ok(())
    }

    /// What changed since the last call.
    pub(super) fn changes(&mut self) -> Vec<LedgerChange> {
        if let Err(error) = self.find() {
            let path = self.root.display();
            warn!(%path, %error, "cannot list {path}: {error}; new networks are not seen");
        }
        let mut changes = Vec::new();
        for (network, reader) in &mut self.readers {
            match reader.changes() {
                Ok(found) => changes.extend(found.into_iter().map(|it| (network.clone(), it))),
                Err(error) => warn!(
                    %error,
                    "cannot read the addresses of network {network}: {error}; its new pods stay closed"
                ),
            }
        }
        changes
    }

    /// Watches the folders of networks, before they are read. Watching one again changes nothing.
    fn find(&mut self) -> io::Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let is_folder = entry.file_type()?.is_dir();
            let name = entry.file_name();
            let Some(network) = network(&name).filter(|_| is_folder) else {
                continue;
            };
            let reader = self.readers.entry(network.to_owned());
            let reader = reader.or_insert_with(|| AllocationReader::new(entry.path()));
            let inotify = &self.events.get_ref().0;
            for folder in [&entry.path(), reader.folder()] {
                match inotify.add_watch(folder, NAMES) {
                    // Its creation is an event in the folder above.
                    Ok(_) | Err(Errno::ENOENT) => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
        }
        Ok(())
    }
}

/// The name of a network, if it is one: hidden folders are something else.
fn network(name: &OsStr) -> Option<&str> {
    name.to_str().filter(|name| !name.starts_with('.'))
}
