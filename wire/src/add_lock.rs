//! The lock of an ADD: at most one ADD per attachment, visible to all processes of the node.
//!
//! While it runs, an ADD holds an abstract UNIX socket (unix(7)) named after the host end. Like
//! host ends, abstract names belong to a network namespace, and the kernel frees the name when the
//! process ends in any way.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The lock of one attachment. Dropping it releases it.
#[derive(Debug)]
#[must_use]
pub struct AddLock {
    _socket: Option<UnixDatagram>,
}

impl AddLock {
    /// Locks the attachment with this host end; `None` while another process holds the lock. If
    /// such sockets cannot be created, the lock is always granted.
    pub fn acquire(host_end: &str) -> Option<Self> {
        match address(host_end).and_then(|name| UnixDatagram::bind_addr(&name)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => None,
            bound => Some(Self {
                _socket: bound.ok(),
            }),
        }
    }
}

/// Whether an ADD holds the lock of the attachment with this host end.
pub fn is_held(host_end: &str) -> bool {
    let connect = || UnixDatagram::unbound()?.connect_addr(&address(host_end)?);
    connect().is_ok()
}

fn address(host_end: &str) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("flatland/making/{host_end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn add_lock_is_exclusive_and_visible() {
        let (one, other) = ("flat-test-one", "flat-test-other");
        assert!(!is_held(one));
        let held = AddLock::acquire(one);
        assert!(held.is_some() && AddLock::acquire(one).is_none());
        assert!(is_held(one) && !is_held(other));
        assert!(AddLock::acquire(other).is_some());
        drop(held);
        assert!(!is_held(one));
        assert!(AddLock::acquire(one).is_some());
    }
}
