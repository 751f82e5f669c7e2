//! Netlink, nftables and network namespaces against the kernel. Each test has its own namespaces.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod addresses;
mod batches;
mod conntrack;
mod links;
mod listings;
mod lookups;

mod monitor;
mod namespaces;
mod neighbours;
mod nft;
mod packet_log;
mod routes;
mod support;
mod sysctls;
mod uplinks;
