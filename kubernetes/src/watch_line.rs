//! The lines of the reply to a watch.

use serde::Deserialize;

use crate::error::ApiStatus;
use crate::object::Metadata;

/// One line of a watch: a `WatchEvent` (meta/v1).
#[derive(Debug, Deserialize)]
#[serde(tag = "type", content = "object", rename_all = "UPPERCASE")]
pub(crate) enum WatchLine<T> {
    Added(T),
    Modified(T),
    Deleted(T),
    Bookmark(Bookmark),
    Error(ApiStatus),
}

/// An object that is sent for its version alone.
#[derive(Debug, Deserialize)]
pub(crate) struct Bookmark {
    pub(crate) metadata: Metadata,
}

/// Where the first line break in `buffer` is, from `begin` on.
pub(crate) fn position_of_newline(buffer: &[u8], begin: usize) -> Option<usize> {
    let found = buffer.get(begin..)?.iter().position(|byte| *byte == b'\n');
    found.map(|at| begin + at)
}
