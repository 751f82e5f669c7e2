//! The benchmark of `flatland-policy`: what policies cost a connection, how long a change of the API
//! takes to the kernel, and what a large cluster costs a node.

pub(crate) mod events;
pub(crate) mod load;
pub(crate) mod report;
pub(crate) mod size;
pub(crate) mod traffic;

/// The namespace of the pods that policies select.
const NAMESPACE: &str = "load";
/// The namespace of their peers.
const PEERS: &str = "peers";
/// A namespace of ten peers, whose labels change.
const MOVING: &str = "moving";
