//! Follows what the Kubernetes API has of pods, namespaces and policies, as events for the
//! [`Engine`](crate::compile::Engine).
//!
//! Four watches, each with a list at its beginning, are merged into one stream. The receiver has at all
//! times what the API said last, and nothing is taken from it on a partial view: not before a list was
//! read to its end, and not on the word of another cluster.

mod cluster_watch;
mod collection;
mod collection_watch;
mod update;
mod watched_object;

pub use cluster_watch::ClusterWatch;
pub use update::{CollectionVersion, WatchUpdate};
