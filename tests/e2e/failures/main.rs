//! Failures of CNI calls: parallel calls, failed and killed calls, interfaces of other programs,
//! nodes without IPv6.

mod deferred_delete;
mod failed_add;
mod failed_gc;
mod foreign_interfaces;
mod killed;
mod names;
mod no_ipv6;
mod parallel;
mod rollback;
mod second_add;
mod storm;
mod support;
