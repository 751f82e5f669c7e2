//! Next hops: the addresses by which nodes reach each other's pods.

mod addresses;
mod ipv6_only;
mod links;
mod on_link;
mod segments;
mod support;
mod uplinks;
