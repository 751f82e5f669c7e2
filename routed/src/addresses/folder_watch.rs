//! Waits for files that appear in or disappear from a folder (inotify), instead of polling.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Reports names that are created, renamed or removed in one folder.
pub(crate) struct FolderWatch {
    events: AsyncFd<Events>,
    folder: PathBuf,
}

struct Events(Inotify);

impl AsRawFd for Events {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl FolderWatch {
    /// Watches `folder`, which need not exist yet: see [`FolderWatch::renew`].
    #[allow(
        deprecated,
        reason = "its successor is unsafe, for types that give their descriptor away; ours does not"
    )]
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        Ok(Self {
            events: AsyncFd::with_interest(Events(inotify), Interest::READABLE)?,
            folder: folder.to_owned(),
        })
    }

    /// Watches the folder that has the path now: it may have been created, or replaced, since the
    /// last call. Changes before this returns may be missed.
    pub(crate) fn renew(&self) -> io::Result<()> {
        let flags = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        let inotify = &self.events.get_ref().0;
        inotify.add_watch(&self.folder, flags)?;
        Ok(())
    }

    /// Waits until something changed since the last call.
    pub(crate) async fn changed(&mut self) -> io::Result<()> {
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
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn expect_change(watch: &mut FolderWatch) {
        let changed = timeout(Duration::from_secs(10), watch.changed()).await;
        changed.expect("a change is reported").unwrap();
    }

    #[tokio::test]
    async fn changes_are_reported_also_in_a_folder_made_anew() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("addresses");
        let mut watch = FolderWatch::new(&folder).unwrap();
        assert!(watch.renew().is_err(), "there is no folder yet");
        for _ in 0..2 {
            fs::create_dir(&folder).unwrap();
            watch.renew().unwrap();
            fs::write(folder.join("a"), "").unwrap();
            expect_change(&mut watch).await;
            fs::rename(folder.join("a"), scratch.path().join("b")).unwrap();
            expect_change(&mut watch).await;
            fs::remove_dir(&folder).unwrap();
            expect_change(&mut watch).await;
        }
        let quiet = timeout(Duration::from_millis(20), watch.changed()).await;
        assert!(quiet.is_err(), "nothing changed");
    }
}
