//! Waits for changes in a folder (inotify), instead of polling.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::unix::AsyncFd;

use crate::readable::readable;

/// Names are created, renamed or removed.
pub const NAMES: AddWatchFlags = AddWatchFlags::IN_CREATE
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_DELETE_SELF);

/// Also the content, mode and owner of files, and the folder itself.
pub const EVERYTHING: AddWatchFlags = NAMES
    .union(AddWatchFlags::IN_MODIFY)
    .union(AddWatchFlags::IN_ATTRIB)
    .union(AddWatchFlags::IN_MOVE_SELF);

/// Reports changes in one folder.
pub struct FolderWatch {
    events: AsyncFd<Events>,
    folder: PathBuf,
    kinds: AddWatchFlags,
}

struct Events(Inotify);

impl AsRawFd for Events {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl FolderWatch {
    /// Watches `folder`, which need not exist yet (see [`FolderWatch::renew`]), for these `kinds` of
    /// changes.
    pub fn new(folder: &Path, kinds: AddWatchFlags) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        Ok(Self {
            events: readable(Events(inotify))?,
            folder: folder.to_owned(),
            kinds,
        })
    }

    /// Watches the folder that has the path now: it may have been created, or replaced, since the
    /// last call. Changes before this returns may be missed.
    pub fn renew(&self) -> io::Result<()> {
        let inotify = &self.events.get_ref().0;
        inotify.add_watch(&self.folder, self.kinds | AddWatchFlags::IN_ONLYDIR)?;
        Ok(())
    }

    /// Waits until something changed since the last call, and returns the kinds of the changes.
    pub async fn changed(&mut self) -> io::Result<AddWatchFlags> {
        let mut guard = self.events.readable_mut().await?;
        let mut kinds = AddWatchFlags::empty();
        loop {
            match guard.get_inner().0.read_events() {
                Ok(events) => kinds.extend(events.iter().map(|event| event.mask)),
                Err(Errno::EAGAIN) => break,
                Err(errno) => return Err(errno.into()),
            }
        }
        guard.clear_ready();
        Ok(kinds)
    }
}

#[cfg(test)]
mod tests;
