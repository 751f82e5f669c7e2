//! A client of the Kubernetes API, for a pod: it lists and watches objects, and writes what a node
//! says about itself.
//!
//! It has only what Flatland needs, on the HTTP and TLS libraries that are in `routed` anyway. Of an
//! object, only the fields of the caller's type are kept, so memory does not grow with what others
//! store in it. The protocol is in the Kubernetes documentation, "Kubernetes API Concepts".

mod account;
mod client;
mod connect;
mod error;
#[cfg(test)]
mod fake_server;
mod follow_end;
mod identity;
mod list;
mod object;
mod timeouts;
mod watch;
mod watch_event;
mod watch_line;

pub use account::ServiceAccount;
pub use client::{ApiClient, ApiConnection, PatchType};
pub use error::Error;
pub use identity::cluster_id;
pub use object::{ApiObject, Metadata};
pub use watch::Watch;
pub use watch_event::WatchEvent;
