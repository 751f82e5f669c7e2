//! nftables rules made of terms, and their translation to kernel expressions.

mod expand;
mod text;

use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::ip_version::IpVersion;
use super::user_data;
use super::verdict::NftVerdict;
use crate::ip_protocol::IpProtocol;

/// A rule: conditions and actions, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NftRule {
    /// The terms.
    pub terms: Vec<Term>,
    /// Its comment in listings; what is longer than 127 bytes is cut.
    pub comment: Option<String>,
}

/// A condition or an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// The packet comes in or goes out through a link whose name begins with `prefix`.
    Link {
        /// Incoming or outgoing link.
        way: Direction,
        /// The start of the name.
        prefix: String,
        /// Whether it must, or must not.
        is: bool,
    },
    /// An address of the packet is in a prefix.
    Prefix {
        /// Source or destination.
        end: AddressField,
        /// The prefix.
        prefix: IpNet,
    },
    /// The packet goes to 127.0.0.0/8, or it is IPv4 and does not. It looks at one byte, without a mask.
    ToLoopback {
        /// Whether it must, or must not.
        is: bool,
    },
    /// An address of the packet is in a set.
    Member {
        /// Source or destination.
        end: AddressField,
        /// The version of the addresses in the set.
        version: IpVersion,
        /// The set's name.
        set: String,
        /// Whether it must be a member, or must not.
        is: bool,
    },
    /// The packet is of this protocol, which has ports, and its destination port is in a set. Later
    /// fragments do not match: they have no ports.
    MemberPort {
        /// TCP, UDP or SCTP.
        protocol: IpProtocol,
        /// The set's name.
        set: String,
    },
    /// The links that the packet came from and leaves through are in a set of pairs.
    MemberLinkPair {
        /// The set's name.
        set: String,
    },
    /// An address of the packet, its protocol and its destination port are in a set of endpoints.
    MemberEndpoint {
        /// Source or destination address.
        end: AddressField,
        /// The version of the addresses in the set.
        version: IpVersion,
        /// The set's name.
        set: String,
    },
    /// Ends the rule with the verdict that a map has for a link of the packet, if it has one.
    LinkVerdict {
        /// Incoming or outgoing link.
        way: Direction,
        /// The map's name.
        map: String,
    },
    /// The packet's connection is in one of these states.
    ConnectionStates(Vec<ConnectionState>),
    /// The packet is of this protocol. Extension headers of IPv6 do not count.
    Protocol(IpProtocol),
    /// The packet is of this protocol, which has ports, and its destination port is in this range.
    /// Later fragments do not match: they have no ports.
    Ports {
        /// TCP, UDP or SCTP.
        protocol: IpProtocol,
        /// The ports.
        ports: RangeInclusive<u16>,
    },
    /// The packet is of TCP and does not begin a connection: of the flags FIN, SYN, RST and ACK it has
    /// others than SYN alone.
    NoTcpStart,
    /// The packet is an `ICMPv6` message of this type.
    Icmpv6(u8),
    /// The packet is of this version of IP.
    IpVersion(IpVersion),
    /// The route back to the packet's source is through the link that the packet came from, or is
    /// not (reverse path filter).
    ReversePath {
        /// Whether it must be, or must not.
        is: bool,
    },
    /// Limits the packets a second that pass this term.
    Limit {
        /// Packets a second in the long run.
        rate: u64,
        /// Packets at once.
        burst: u32,
    },
    /// Counts packets and bytes ([`NftSocket::counters`](super::NftSocket::counters)).
    Counter,
    /// Sends the packet to the program that reads this group
    /// ([`PacketLog`](crate::packet_log::PacketLog)), if there is one.
    Log {
        /// The group.
        group: u16,
        /// A text for the program, up to 127 bytes.
        prefix: String,
        /// How much of the packet at most, in bytes.
        snap_length: u32,
    },
    /// Masquerades: sets this node's address as the source, and a random source port, which cannot
    /// be guessed and is unlikely to collide with another new connection.
    Masquerade,
    /// Ends the rule with a verdict.
    Verdict(NftVerdict),
}

/// A state of a packet's connection (`NF_CT_STATE_BIT`). The bits are in the order in which nft
/// prints them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectionState {
    /// Connection tracking cannot tell what it belongs to.
    Invalid = 1,
    /// It belongs to a connection that had packets in both directions.
    Established = 2,
    /// It belongs to something that a connection caused, such as an ICMP error.
    Related = 4,
    /// It begins a connection.
    New = 8,
    /// It is exempt from connection tracking.
    Untracked = 64,
}

/// The direction of a packet through a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Incoming.
    In,
    /// Outgoing.
    Out,
}

/// One of a packet's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressField {
    /// The source address.
    Source,
    /// The destination address.
    Destination,
}

impl NftRule {
    /// A rule without a comment.
    pub fn new(terms: impl Into<Vec<Term>>) -> Self {
        Self {
            terms: terms.into(),
            comment: None,
        }
    }

    /// With a comment.
    #[must_use]
    pub fn comment(self, text: &str) -> Self {
        Self {
            comment: Some(text.to_owned()),
            ..self
        }
    }

    /// Its comment as far as the kernel stores it.
    pub(super) fn fitting_comment(&self) -> Option<&str> {
        self.comment.as_deref().map(user_data::fitting)
    }
}

impl Term {
    /// Neighbour solicitation: one of the two messages that update the receiver's neighbour table
    /// (RFC 4861).
    pub const NEIGHBOUR_SOLICITATION: u8 = 135;
    /// Neighbour advertisement.
    pub const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
    /// Router advertisement: one of the two messages that change the receiver's routes (RFC 4861).
    pub const ROUTER_ADVERTISEMENT: u8 = 134;
    /// Redirect.
    pub const REDIRECT: u8 = 137;
    /// Multicast listener report of version 1, done, and report of version 2 (RFC 2710, RFC 3810).
    pub const LISTENER: [u8; 3] = [131, 132, 143];

    /// A source address in that prefix.
    pub fn from(prefix: IpNet) -> Self {
        let end = AddressField::Source;
        Self::Prefix { end, prefix }
    }

    /// A destination address in that prefix.
    pub fn to(prefix: IpNet) -> Self {
        let end = AddressField::Destination;
        Self::Prefix { end, prefix }
    }
}
