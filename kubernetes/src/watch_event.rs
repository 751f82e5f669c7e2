//! What a watch reports.

use crate::error::Error;

/// What a watch reports.
#[derive(Debug)]
pub enum WatchEvent<T> {
    /// A part of everything there is. Further pages follow, up to the `Reset`: what is in none of them
    /// is gone. Comes only from [`Watch::start_by_pages`](crate::Watch::start_by_pages).
    Page {
        /// The objects, in the order of their names.
        items: Vec<T>,
        /// The UID of the namespace `kube-system` of the cluster that answered.
        cluster: String,
        /// Whether this is the first page of a list. A list that broke off begins again with it.
        is_first: bool,
    },
    /// There is no such collection in the cluster (404), as before a definition is installed; attempts
    /// go on. Comes for each of them, and only from
    /// [`Watch::start_by_pages`](crate::Watch::start_by_pages).
    Missing {
        /// The UID of the namespace `kube-system` of the cluster that answered.
        cluster: String,
        /// What it said.
        error: Error,
    },
    /// Everything there is; replaces all that was reported before.
    Reset {
        /// The objects, in the order of their names; none of those that pages had.
        items: Vec<T>,
        /// The UID of the namespace `kube-system` of the cluster that answered.
        cluster: String,
        /// The version of the list.
        version: String,
    },
    /// An object was created or changed.
    Applied(T),
    /// An object was deleted; this was its last state.
    Deleted(T),
    /// The collection cannot be read; attempts go on. Comes once per outage, and again when the
    /// reason becomes another.
    Disconnected(Error),
    /// It can be read again; the missed changes follow. Comes once per outage.
    Connected,
}
