//! Netlink and network namespaces against the kernel itself, in namespaces of each test's own.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod addresses;
mod batches;
mod links;
mod listings;
mod lookups;

mod monitor;
mod namespaces;
mod neighbours;
mod nft;
mod routes;
mod support;
mod sysctls;
mod uplinks;
