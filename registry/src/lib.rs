//! Flatland's keys in etcd, and the code that reads and writes them.
//!
//! ```text
//! <prefix>/<network>/config                      what all nodes agree on     [`Network`]
//! <prefix>/<network>/nodes/<node>                next hops, machine id       [`NodeRecord`]
//! <prefix>/<network>/subnets/<address>-<length>  who owns a subnet, for good [`Claim`]
//! <prefix>/<network>/presence/<node>             `routed` is alive           [`Presence`]
//! <prefix>/<network>:absent/<node>               it was not, for how long    [`Absent`]
//! <prefix>/<network>:forgot                      one was forgotten just now
//! ```
//!
//! A claim never expires, and it is written only if it is absent, by a machine that holds its
//! node's name, in the network it agreed to: so no two nodes ever own one subnet. Whether a node
//! is alive is another matter and another key, on a lease.
//!
//! Decisions are pure (`protocol`, `pool`, `snapshot`); `etcd` and `local` carry them out.
//! A network without an `etcd` section is one node, and its registry a file.

mod error;
mod etcd;
mod files;
mod keys;
mod liveness;
mod local;
#[cfg(test)]
mod model;
pub mod owned;
mod policy;
mod pool;
mod protocol;
mod records;
mod registry;
mod snapshot;

pub use error::Error;
pub use liveness::{Absent, Census, Forget, Forgotten, PresenceHandle, PresenceState};
pub use policy::{Backoff, Policy};
pub use protocol::Registration;
pub use records::{Claim, Network, NodeRecord, Presence};
pub use registry::Registry;
pub use snapshot::{Change, Event, MOST_REJECTED, Snapshot};
