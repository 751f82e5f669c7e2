//! The times of the plugin. It waits for the kernel only as long as netlink does
//! (`wire/src/timeouts.rs`).

use std::time::Duration;

/// How long the helper of DEL gathers links before it deletes their group: much longer than a pod's
/// namespace lives after DEL.
pub(crate) const DEFERRED_DELETE_GATHER_TIME: Duration = Duration::from_millis(200);
