//! The times of the IPAM plugin.

use std::time::Duration;

/// Of all claims of one ADD: waiting for etcd, and for other processes of this node that wait for
/// etcd.
pub(crate) const CLAIM_TIMEOUT: Duration = Duration::from_secs(5);

/// Of the confirmation at the first ADD after a boot: whether the node still owns its subnets.
pub(crate) const CONFIRMATION_TIMEOUT: Duration = Duration::from_secs(2);

/// How much earlier the request to etcd times out than the claim, so that the error says what is
/// wrong with etcd.
pub(crate) const ETCD_TIMEOUT_MARGIN: Duration = Duration::from_millis(500);

/// Of waiting for the ledger's lock. It is held only for microseconds, unless its holder is
/// stopped.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// An address rests at least this long before the share counts. A client that sent its SYN just before
/// the pod went sends it again after 1, 3, 7 and 15 s (RFC 6298: the first timeout is 1 s, and each one
/// doubles). After that, few still try; who does was refused before, as no pod had the address.
pub const MIN_COOL_DOWN: Duration = Duration::from_secs(15);
