//! What can go wrong between this program and the kernel.

use std::io;

use nix::errno::Errno;
use rtnetlink::packet_core::DecodeError;

/// A netlink operation that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused a request.
    #[error("{request}: {}{}", errno.desc(), explanation(message.as_deref()))]
    Refused {
        /// Position of the request in its batch.
        index: usize,
        /// The request as the command (of iproute2, or of nft) that would do the same.
        request: String,
        /// The kernel's reason.
        errno: Errno,
        /// The kernel's own words (extended acknowledgement), where it gave any.
        message: Option<String>,
    },
    /// The netlink socket itself failed.
    #[error("netlink socket: cannot {doing}: {source}")]
    Socket {
        /// What was being done.
        doing: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// The kernel's answer could not be read.
    #[error("{request}: the kernel's answer cannot be read: {why}")]
    Malformed {
        /// The request that was answered.
        request: String,
        /// What is wrong with the answer.
        why: String,
    },
    /// The kernel's tables changed during every attempt to list them (`NLM_F_DUMP_INTR`).
    #[error("{request}: changed under each of {attempts} attempts to read it; try again")]
    Interrupted {
        /// The request that was interrupted.
        request: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// No interface can be said to carry this node's traffic.
    #[error(
        "cannot tell which interface carries this node's traffic to its peers ({why}); \
         configure the node's address"
    )]
    NoUplink {
        /// What was found instead.
        why: String,
    },
}

impl Error {
    /// The kernel's error number, where it was the kernel that failed.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Refused { errno, .. } => Some(*errno),
            Self::Socket { source, .. } => source.raw_os_error().map(Errno::from_raw),
            _ => None,
        }
    }

    pub(crate) fn malformed(request: &impl ToString, why: &DecodeError) -> Self {
        Self::Malformed {
            request: request.to_string(),
            why: why.to_string(),
        }
    }
}

fn explanation(message: Option<&str>) -> String {
    message
        .map(|message| format!(": {message}"))
        .unwrap_or_default()
}
