//! Errors of netlink operations.

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
        /// The request, as the iproute2 or nft command that does the same.
        request: String,
        /// The kernel's reason.
        errno: Errno,
        /// The text of the kernel's extended acknowledgement, if it gave one.
        message: Option<String>,
    },
    /// The netlink socket itself failed.
    #[error("netlink socket: cannot {doing}: {source}")]
    Socket {
        /// The operation that failed.
        doing: &'static str,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The kernel's reply could not be parsed.
    #[error("{request}: the kernel's answer cannot be read: {why}")]
    Malformed {
        /// The request.
        request: String,
        /// What is wrong with the reply.
        why: String,
    },
    /// The kernel's tables changed during every attempt to list them (`NLM_F_DUMP_INTR`).
    #[error("{request}: changed during each of {attempts} attempts to read it; try again")]
    Interrupted {
        /// The request that was interrupted.
        request: String,
        /// The number of attempts.
        attempts: u32,
    },
    /// The uplink cannot be determined.
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
    /// The kernel's error number, if the kernel returned one.
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
