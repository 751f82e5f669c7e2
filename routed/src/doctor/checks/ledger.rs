//! Check: can addresses be allocated and freed in `/run/flatland/NETWORK`, and are those of all running
//! pods there?

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};
use wire::paths::run_dir;

use crate::addresses::ledger;
use crate::doctor::context::CheckContext;
use crate::doctor::finding::Finding;
use crate::text::list;

const CHECK: &str = "ledger";

/// With less room than this, in bytes and in files, the next pods use it up: each takes up to 8 kB and
/// four files.
const LOW_BYTES: u64 = 256 * 1024;
const LOW_FILES: u64 = 128;

/// The folders in the ledger.
const FOLDERS: [&str; 5] = ["", "addresses", "attachments", "freed", "queues"];

pub(super) fn check(context: &CheckContext<'_>) -> Vec<Finding> {
    let conflist = context.conflist.as_ref();
    conflist.map_or_else(
        |_| Vec::new(),
        |conflist| vec![examine(&read(conflist.network()))],
    )
}

/// What is known of the ledger.
#[derive(Debug, Clone)]
struct LedgerFacts {
    folder: PathBuf,
    /// Files in the place of its folders.
    files: Vec<PathBuf>,
    /// Its file system.
    room: Result<FreeSpace, String>,
    /// The number of held addresses, and those that pods have and that are not among them.
    held: Result<(usize, Vec<IpAddr>), String>,
}

#[derive(Debug, Clone, Copy)]
struct FreeSpace {
    is_read_only: bool,
    bytes: u64,
    /// `None` if the file system has no limit.
    files: Option<u64>,
}

fn read(network: &str) -> LedgerFacts {
    let folder = run_dir(network);
    let parents = folder.parent().into_iter().map(Path::to_path_buf);
    let all = parents.chain(FOLDERS.map(|name| folder.join(name)));
    LedgerFacts {
        files: all
            .filter(|path| fs::metadata(path).is_ok_and(|found| !found.is_dir()))
            .collect(),
        room: room(&folder),
        held: held(network).map_err(|error| error.to_string()),
        folder,
    }
}

/// The room for the ledger, which need not exist yet.
fn room(folder: &Path) -> Result<FreeSpace, String> {
    let existing = folder.ancestors().find(|path| path.is_dir());
    let found = statvfs(existing.unwrap_or(folder)).map_err(|errno| errno.to_string())?;
    Ok(FreeSpace {
        is_read_only: found.flags().contains(FsFlags::ST_RDONLY),
        bytes: found
            .blocks_available()
            .saturating_mul(found.fragment_size()),
        files: (found.files() > 0).then(|| found.files_available()),
    })
}

fn held(network: &str) -> Result<(usize, Vec<IpAddr>), ipam::Error> {
    let held = ledger::held(network)?;
    let is_held = |address: &IpAddr| held.iter().any(|(other, _)| other == address);
    let pods = ipam::read_kernel_pods(network)?.into_iter();
    let lost = pods.map(|(address, _)| address).filter(|it| !is_held(it));
    Ok((held.len(), lost.collect()))
}

fn examine(facts: &LedgerFacts) -> Finding {
    let folder = facts.folder.display();
    if let Some(file) = facts.files.first() {
        let file = file.display();
        return Finding::broken(CHECK, format!("{file} is a file, not a folder")).fix(format!(
            "remove it (rm {file}): the next ADD makes the folder"
        ));
    }
    let room = match &facts.room {
        Ok(room) => room,
        Err(why) => return Finding::unknown(CHECK, format!("{folder}: {why}")),
    };
    if room.is_read_only {
        return Finding::broken(CHECK, format!("the file system of {folder} is read-only"))
            .fix("remount it writable (mount -o remount,rw /run): ADD and DEL fail meanwhile");
    }
    if room.bytes < LOW_BYTES || room.files.is_some_and(|files| files < LOW_FILES) {
        let files = room
            .files
            .map_or("any number of".to_owned(), |it| it.to_string());
        let evidence = format!(
            "the file system of {folder} is almost full: room for {} kB and {files} files",
            room.bytes / 1024
        );
        return Finding::warning(CHECK, evidence).fix(
            "find what fills it (du -xh /run, du -x --inodes /run); without room, ADD gives up the \
             cool-down of freed addresses, and fails once there are none",
        );
    }
    match &facts.held {
        Err(why) => Finding::unknown(CHECK, why.clone()),
        Ok((held, lost)) if lost.is_empty() => {
            Finding::ok(CHECK, format!("{folder} has {held} addresses"))
        }
        Ok((_, lost)) => {
            let evidence = format!("{folder} lacks {}, which pods have", list(lost));
            Finding::warning(CHECK, evidence).fix(
                "routed adds them within 30 s while it runs, else the next ADD that needs it; find out \
                 which program removes files there",
            )
        }
    }
}

#[cfg(test)]
mod tests;
