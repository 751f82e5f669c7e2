//! The lock that allows one `flatland-policy` per node, by which `routed` sees whether it runs; and the
//! mark that the table stands.

use std::path::Path;
use std::time::Duration;

use tracing::warn;
use wire::atomic_file;
use wire::file_lock::{self, FileLock};
use wire::paths::{POLICY_LOCK, POLICY_READY, RUN_DIR, make_folder};

use wire::state_file;

use crate::error::Error;

/// Others hold the lock for a moment to see whether it is held.
const PATIENCE: Duration = Duration::from_secs(1);

/// Takes the lock for as long as the returned value lives.
pub(crate) fn acquire() -> Result<FileLock, Error> {
    let path = Path::new(POLICY_LOCK);
    let failed = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    make_folder(Path::new(RUN_DIR)).map_err(failed)?;
    let file = file_lock::open(path).map_err(failed)?;
    let lock = FileLock::lock_within(file, PATIENCE).map_err(failed)?;
    lock.ok_or_else(|| Error::Held(path.to_owned()))
}

/// Marks that the table stands since this boot: ADD waits for it. The cluster in an earlier mark stays.
pub(crate) fn mark_ready() -> Result<(), Error> {
    let path = Path::new(POLICY_READY);
    let failed = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    let known = known_cluster();
    atomic_file::replace(path, content(known).as_bytes()).map_err(failed)?;
    Ok(())
}

/// The number of the cluster whose policies the table has since this boot.
pub(crate) fn known_cluster() -> Option<u64> {
    let text = state_file::read(Path::new(POLICY_READY), state_file::SMALL).ok()?;
    let text = String::from_utf8(text).ok()?;
    u64::from_str_radix(text.trim(), 16).ok()
}

/// Writes the cluster into the mark, unless it has it: after a restart no other one is believed.
pub(crate) fn remember_cluster(cluster: Option<u64>) {
    if cluster.is_none() || known_cluster() == cluster {
        return;
    }
    let path = Path::new(POLICY_READY);
    if let Err(error) = atomic_file::replace(path, content(cluster).as_bytes()) {
        let path = path.display();
        warn!(%path, %error, "cannot write {path}: {error}");
    }
}

fn content(cluster: Option<u64>) -> String {
    cluster.map_or_else(String::new, |cluster| format!("{cluster:016x}\n"))
}
