//! Network policies: which connections the objects of the Kubernetes API allow, and which rules the
//! packet filter of one node needs for them.
//!
//! Everything but `watch` is pure: events go in, and changes of a readable set of rules come out. What
//! watches the API, and what tells the kernel, decides nothing.

pub mod api;
pub mod cluster;
pub mod compile;
pub mod policies;
pub mod rules;
pub mod selector;
pub mod timeouts;
pub mod watch;
