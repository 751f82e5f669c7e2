//! Waiting until a file descriptor can be read.

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Lets the runtime wait until `inner` can be read.
#[allow(
    deprecated,
    reason = "its successor is unsafe, for types that give their descriptor away; ours do not"
)]
pub fn readable<T: AsRawFd>(inner: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(inner, Interest::READABLE)
}
