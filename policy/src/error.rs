//! The errors that end the daemon, and their exit statuses.

use std::io;
use std::path::PathBuf;

use wire::cni::{self, code};
use wire::netlink;

/// `EX_USAGE` (sysexits.h): the command line or the configuration has to be changed.
pub(crate) const USAGE: u8 = 64;

/// Why the daemon ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line or the conflist is wrong.
    #[error(transparent)]
    Config(#[from] cni::Error),
    /// It is not known where the API server is.
    #[error("{0}; {advice}", advice = .0.advice())]
    Api(#[from] kubernetes::Error),
    /// Another daemon runs.
    #[error(
        "another flatland-policy runs already on this node (it holds {0}); stop that one first"
    )]
    Held(PathBuf),
    /// A file in `/run/flatland` cannot be written.
    #[error("cannot write {path}: {source}; run as root, with {path} on a writable file system")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The kernel lacks something that policies need.
    #[error(
        "the kernel cannot keep network policies, so that they would have no effect: {0}; use a \
         kernel with nf_tables, nft_ct, nft_log and nft_limit"
    )]
    Kernel(netlink::Error),
    /// A request to the kernel failed.
    #[error(transparent)]
    Netlink(#[from] netlink::Error),
    /// The asynchronous runtime failed.
    #[error("cannot wait for events: {0}")]
    Runtime(#[from] io::Error),
    /// A task ended that should never end.
    #[error("{0} ended by itself; this is an error in flatland-policy")]
    Ended(&'static str),
}

impl Error {
    /// 64 if a restart is useless until the configuration is changed, otherwise 1.
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Config(error) if error.code != code::IO => USAGE,
            _ => 1,
        }
    }
}
