//! nfnetlink: what the subsystems of netfilter (nftables, connection tracking, packet logs) share.

pub(crate) mod attributes;
pub(crate) mod message;
