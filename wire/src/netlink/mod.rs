//! Rtnetlink, blocking and batched: several requests in one datagram, one wait for all replies.
//!
//! The interface has domain types only ([`Route`], [`Address`], ...). Every [`NetlinkRequest`]
//! prints as the iproute2 command that does the same, so that an error reads `ip route replace
//! 10.1.20.0/24 via 192.168.1.20 dev if4 proto 70: No route to host`.

mod address;
mod attributes;
mod error;
mod link;
mod mac;
mod monitor;
mod neighbour;
mod policy_rule;
mod query;
pub(crate) mod reply;
mod request;
mod route;
mod route_lookup;
mod socket;
mod solicit;
mod source_rule;
pub(crate) mod subscription;
#[cfg(test)]
mod tests;
mod token;
pub(crate) mod transport;
mod uplink;
mod veth;

pub use address::Address;
pub use error::Error;
pub use link::{Ipv4Settings, Link, LinkChange};
pub use mac::{InvalidMac, Mac};
pub use monitor::{NetlinkEvent, NetlinkMonitor, Topics};
pub use neighbour::Neighbour;
pub use policy_rule::{PolicyAction, PolicyRule};
pub use query::Listing;
pub use request::NetlinkRequest;
pub use route::{Fate, NextHop, Packet, Route, RouteKind};
pub use rtnetlink::packet_route::address::AddressScope as Scope;
pub use socket::NetlinkSocket;
pub use source_rule::SourceRule;
pub use token::Token;
pub use uplink::Uplink;
pub use veth::VethPair;
