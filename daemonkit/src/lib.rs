//! What the daemons of Flatland share: their log, the HTTP server with health, metrics and pages for
//! the command line, queries to an event loop, metrics, folder watches, signals and threads.
//!
//! This crate knows nothing about routes or packets. What a daemon is called, and what it keeps in
//! the kernel, is in its [`DaemonIdentity`].

pub mod folder_watch;
pub mod http;
mod identity;
pub mod log;
pub mod metrics;
mod on_change;
pub mod query;
pub mod readable;
pub mod signals;
pub mod termination;
pub mod thread;
mod timeouts;

pub use identity::{DaemonIdentity, FLATLAND_POLICY};
pub use on_change::OnChange;
