//! Connection tracking over netlink: lists the connections that the kernel knows, and forgets single
//! ones.
//!
//! The kernel tracks connections of a network namespace only once a rule there needs it, such as one
//! with `ct state`.

mod entry;
mod socket;

pub use entry::{ConntrackEntry, ConntrackTuple};
pub use socket::ConntrackSocket;
