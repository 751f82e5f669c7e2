//! Watches the container runtime's folders: that of the conflists and that of the plugins.

use std::fs;
use std::future::pending;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use daemonkit::folder_watch::{EVERYTHING, FolderWatch};
use nix::sys::inotify::AddWatchFlags;
use tokio::time::{Instant, sleep_until};

use crate::config::Config;
use crate::timeouts::{MAX_CNI_FOLDER_CHECK_INTERVAL, MIN_CNI_FOLDER_CHECK_INTERVAL};

/// Watches the folders. Without inotify, it is time to look at intervals.
pub(crate) struct CniWatch {
    folders: [WatchedFolder; 2],
    last: Instant,
}

struct WatchedFolder {
    path: PathBuf,
    watch: Option<FolderWatch>,
    /// The inode number of the folder that is watched.
    inode: Option<u64>,
}

/// The folder at the path is not that of the container runtime any more: it was moved or deleted,
/// and this process has the old one mounted, as a container or a unit of systemd has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} was replaced, and this process still has the old folder mounted: it ends to be started \
     again with the new one",
    .0.display()
)]
pub(crate) struct FolderReplaced(PathBuf);

impl CniWatch {
    /// Watches the folder of the installed conflist and that of the plugins.
    pub(crate) fn start(config: &Config) -> Self {
        let conflist = &config.installed_conflist;
        Self::open(conflist.parent().unwrap_or(conflist), &config.plugin_dir)
    }

    fn open(conflists: &Path, plugins: &Path) -> Self {
        Self {
            folders: [conflists, plugins].map(WatchedFolder::open),
            last: Instant::now(),
        }
    }

    /// Waits until it is time to look at the folders again, and returns the time. May be dropped and
    /// called again.
    pub(crate) async fn changed(&mut self) -> Result<std::time::Instant, FolderReplaced> {
        sleep_until(self.last + MIN_CNI_FOLDER_CHECK_INTERVAL).await;
        let [conflists, plugins] = &mut self.folders;
        let moved = tokio::select! {
            kinds = conflists.next() => [is_move(kinds), false],
            kinds = plugins.next() => [false, is_move(kinds)],
            () = sleep_until(self.last + MAX_CNI_FOLDER_CHECK_INTERVAL) => [false; 2],
        };
        self.last = Instant::now();
        let mut folders = self.folders.iter_mut().zip(moved);
        folders.try_for_each(|(folder, moved)| folder.renew(moved))?;
        Ok(self.last.into_std())
    }
}

impl WatchedFolder {
    fn open(path: &Path) -> Self {
        let mut watched = Self {
            path: path.to_owned(),
            watch: FolderWatch::new(path, EVERYTHING).ok(),
            inode: None,
        };
        // A replaced folder is reported by the first change.
        let _ = watched.renew(false);
        watched
    }

    /// The next changes. Without a watch, or if it fails, there are none.
    async fn next(&mut self) -> AddWatchFlags {
        if let Some(watch) = &mut self.watch
            && let Ok(kinds) = watch.changed().await
        {
            return kinds;
        }
        pending().await
    }

    /// Watches the folder that has the path now; if there is none, the next call does.
    fn renew(&mut self, moved: bool) -> Result<(), FolderReplaced> {
        if let Some(watch) = &self.watch {
            let _ = watch.renew();
        }
        let found = fs::metadata(&self.path).ok();
        let inode = found.as_ref().map(MetadataExt::ino);
        let is_deleted = found.is_some_and(|found| found.nlink() == 0);
        if is_deleted || moved && inode.is_some() && inode == self.inode {
            return Err(FolderReplaced(self.path.clone()));
        }
        self.inode = inode;
        Ok(())
    }
}

fn is_move(kinds: AddWatchFlags) -> bool {
    kinds.contains(AddWatchFlags::IN_MOVE_SELF)
}

#[cfg(test)]
mod tests;
