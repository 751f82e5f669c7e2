//! Which attachments an ADD is making at this moment, as every process of the node can tell.
//!
//! An ADD has a socket with the host end's name, in the abstract namespace of UNIX sockets (unix(7)),
//! for as long as it works. The name is the network namespace's, as host ends are, and the kernel
//! frees it when the process ends, however it does.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The claim to be the only ADD of an attachment. Ends when it is dropped.
#[derive(Debug)]
#[must_use]
pub struct AddLock {
    _socket: Option<UnixDatagram>,
}

impl AddLock {
    /// Begins to make the attachment with this host end; `None` while another process does. Where
    /// such sockets cannot be had, nobody is kept from anything.
    pub fn acquire(host_end: &str) -> Option<Self> {
        match address(host_end).and_then(|name| UnixDatagram::bind_addr(&name)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => None,
            bound => Some(Self {
                _socket: bound.ok(),
            }),
        }
    }
}

/// Whether an ADD is making the attachment with this host end.
pub fn is_held(host_end: &str) -> bool {
    let knock = || UnixDatagram::unbound()?.connect_addr(&address(host_end)?);
    knock().is_ok()
}

fn address(host_end: &str) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("flatland/making/{host_end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_makes_an_attachment_and_others_can_tell() {
        let (one, other) = ("flat-test-one", "flat-test-other");
        assert!(!is_held(one));
        let making = AddLock::acquire(one);
        assert!(making.is_some() && AddLock::acquire(one).is_none());
        assert!(is_held(one) && !is_held(other));
        assert!(AddLock::acquire(other).is_some());
        drop(making);
        assert!(!is_held(one));
        assert!(AddLock::acquire(one).is_some());
    }
}
