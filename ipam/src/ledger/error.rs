//! The errors of the ledger, and their CNI codes and advice.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use wire::cni::{self, Attachment, code};
use wire::text::list;

use crate::ledger::unavailable::Unavailable;

/// A failure of the ledger. Nothing was changed, unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was attempted: "create", "read" ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file of the ledger has content that Flatland did not write.
    #[error("{} is damaged: {why}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file in a folder of the ledger with a name that Flatland does not use.
    #[error("{} is not a file of Flatland", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// ADD for an attachment that already has an address.
    #[error("attachment {attachment} already holds {address}")]
    Held {
        /// The attachment.
        attachment: Attachment,
        /// Its address, or one of them.
        address: IpAddr,
    },
    /// Every address of the subnets is in use.
    #[error("{}", exhausted(subnets, damaged))]
    Exhausted {
        /// The subnets.
        subnets: Vec<IpNet>,
        /// Damaged address files, which keep their addresses from being used.
        damaged: Vec<PathBuf>,
    },
    /// The address that was requested by name is not available.
    #[error("address {address} is not available: {obstacle}")]
    Unavailable {
        /// The address.
        address: IpAddr,
        /// Why not.
        obstacle: Unavailable,
    },
    /// Another process has held the lock for too long.
    #[error("another process has kept {} locked for {} s", .path.display(), .waited.as_secs())]
    Busy {
        /// The ledger's folder.
        path: PathBuf,
        /// How long we waited.
        waited: Duration,
    },
    /// Several parts of the work failed; the rest was done.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Several(Vec<Error>),
}

impl Error {
    /// Wraps the error of a system call: `.map_err(Error::io("read", path))`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    /// `Ok` if `errors` is empty, else all of them as one error.
    pub(crate) fn all(mut errors: Vec<Self>) -> Result<(), Self> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(Self::Several(errors)),
        }
    }

    fn code_and_advice(&self) -> (u32, &'static str) {
        match self {
            Self::Io { source, .. } => (code::IO, advice(source)),
            Self::Damaged { .. } => (
                code::DECODING,
                "find out which pod has the address (ip route), delete that pod, then remove the file",
            ),
            Self::Foreign { .. } => (code::DECODING, "remove it, or find out who puts it there"),
            Self::Held { .. } => (
                code::ALREADY_ATTACHED,
                "DEL the attachment first; nothing was changed",
            ),
            Self::Exhausted { .. } => (
                code::NO_FREE_ADDRESS,
                "delete pods that are not needed, or let the runtime run GC for those that are gone",
            ),
            Self::Unavailable { obstacle, .. } => (code::ADDRESS_UNAVAILABLE, obstacle.advice()),
            Self::Busy { .. } => (
                code::TRY_AGAIN,
                "find it with lslocks, it may be stopped; then try again",
            ),
            Self::Several(errors) => errors.first().map_or((code::IO, ""), Self::code_and_advice),
        }
    }
}

impl From<Error> for cni::Error {
    fn from(error: Error) -> Self {
        let (code, advice) = error.code_and_advice();
        Self::new(code, error.to_string()).advise(advice)
    }
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room on that file system (df, df -i), then try again"
        }
        io::ErrorKind::ReadOnlyFilesystem => "remount that file system writable, then try again",
        io::ErrorKind::PermissionDenied => "run the plugin as root",
        io::ErrorKind::Unsupported => "mount a tmpfs on /run, where it is to be on every node",
        _ => "",
    }
}

fn exhausted(subnets: &[IpNet], damaged: &[PathBuf]) -> String {
    let (subnets, files) = (
        list(subnets),
        list(damaged.iter().map(|path| path.display())),
    );
    match (subnets.is_empty(), files.is_empty()) {
        (true, _) => "no address is free: this node owns no subnet".to_owned(),
        (_, true) => format!("no address is free in {subnets}: all are in use"),
        _ => format!("no address is free in {subnets}: all are in use or blocked by {files}"),
    }
}

/// Whether the file system has no room, for content or for another file, or a quota is used up.
pub(crate) fn is_full(error: &io::Error) -> bool {
    let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
    full.contains(&error.kind())
}
