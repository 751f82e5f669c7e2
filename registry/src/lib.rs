//! Flatland's keys in etcd, and the code that reads and writes them.
//!
//! ```text
//! <prefix>/<network>/config                      pod CIDRs, subnet lengths   [`Network`]
//! <prefix>/<network>/nodes/<node>                next hops, machine id       [`NodeRecord`]
//! <prefix>/<network>/subnets/<address>-<length>  the owner of a subnet       [`Claim`]
//! <prefix>/<network>/presence/<node>             `routed` is alive           [`Presence`]
//! <prefix>/<network>:absent/<node>               how long it has been absent [`Absent`]
//! <prefix>/<network>:forgot                      a node was just forgotten
//! ```
//!
//! A claim never expires. It is written only if its key is absent, by the machine that holds the
//! node's name, in a network that this machine agreed to. So two nodes never own the same subnet.
//! Whether a node is alive is a separate key, on a lease.
//!
//! Decisions are pure functions (`protocol`, `pool`, `snapshot`); the backends `etcd` and `local`
//! carry them out. A network without an `etcd` section has one node, and its registry is a file.
//! With a `kubernetes` section, nothing of this is written: Kubernetes gives nodes their subnets.

mod error;
mod etcd;
mod files;
mod keys;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod liveness;
mod local;
#[cfg(test)]
mod model;
#[cfg(not(feature = "kubernetes"))]
mod no_kubernetes;
pub mod owned;
mod policy;
mod pool;
mod protocol;
mod records;
mod registry;
mod rewrite_limit;
mod session;
mod snapshot;
mod tls_error;

#[cfg(not(feature = "kubernetes"))]
use no_kubernetes as kubernetes;

pub use error::Error;
pub use liveness::{Absent, Census, Forget, Forgotten, PresenceHandle, PresenceState};
pub use policy::Policy;
pub use protocol::Registration;
pub use records::{Claim, Network, NodeRecord, Presence};
pub use registry::Registry;
pub use rewrite_limit::RewriteLimit;
pub use session::Session;
pub use snapshot::{MAX_REJECTED, RegistryChange, RegistryEvent, Snapshot, packed};
pub use tls_error::{TlsProblem, tls_problem};
pub use wire::backoff::Backoff;
