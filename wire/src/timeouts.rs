//! The times of what the programs share.

use std::time::Duration;

/// How long a host end must exist without an alias, and without the lock of an ADD, before it counts
/// as left by an interrupted ADD: a thousand times what an ADD takes to set it. A runtime runs no
/// ADD during GC (SPEC.md, section 2, "Lifecycle & Ordering"), but another runtime may.
pub const MIN_ORPHAN_AGE: Duration = Duration::from_secs(1);

/// How long to wait for a reply to a netlink request. The kernel has replied by the time `send`
/// returns, so that this only ends the wait for a lost reply.
pub(crate) const NETLINK_REPLY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a program may take to print the versions that it supports; a thousand times the usual
/// time.
pub(crate) const VERSION_PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long to wait for the holder of an old lock that /proc/locks does not show: it is in another
/// pid namespace, or is gone and has left the lock to its children. A process of ours holds it for
/// microseconds.
pub(crate) const HIDDEN_LOCK_HOLDER_TIMEOUT: Duration = Duration::from_millis(100);

/// How often the holder of an old lock is looked at again.
pub(crate) const LOCK_HOLDER_CHECK_INTERVAL: Duration = Duration::from_millis(500);
