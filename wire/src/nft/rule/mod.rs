//! nftables rules made of terms, and their translation to kernel expressions.

mod text;

use std::net::IpAddr;

use ipnet::IpNet;

use crate::nft::expression::{Expression, Layer, NftVerdict};
use crate::nft::set::IpVersion;
use crate::nft::types::TableFamily;

/// `NFT_META_IIFNAME`, `NFT_META_OIFNAME`, `NFT_META_NFPROTO`, `NFT_META_L4PROTO`.
const IN_NAME: u32 = 6;
const OUT_NAME: u32 = 7;
const PROTOCOL: u32 = 15;
const TRANSPORT: u32 = 16;

/// `IPPROTO_ICMPV6`.
const ICMPV6: u8 = 58;

/// `NFT_FIB_RESULT_OIF`; `NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT`.
const FIB_OIF: u32 = 1;
const FIB_SADDR_IIF_PRESENT: u32 = 1 | 8 | 32;

/// Offset of the destination address in an IPv4 header (RFC 791 section 3.1).
const DESTINATION_V4: u32 = 16;

/// `NF_NAT_RANGE_PROTO_RANDOM_FULLY`.
const FULLY_RANDOM: u32 = 16;

/// A rule: conditions and actions, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NftRule {
    /// The terms.
    pub terms: Vec<Term>,
    /// Its comment in listings; up to 127 bytes.
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
    /// Counts packets and bytes.
    Counter,
    /// Masquerades: sets this node's address as the source, and a random source port, which cannot
    /// be guessed and is unlikely to collide with another new connection.
    Masquerade,
    /// Ends the rule with a verdict.
    Verdict(NftVerdict),
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

    /// Its kernel expressions, in a table of that family.
    pub fn expressions(&self, family: TableFamily) -> Vec<Expression> {
        // A table of family inet sees packets of both versions: check it before the first term that
        // depends on the version.
        let mut is_version_checked = family != TableFamily::Inet;
        let mut all = Vec::new();
        for term in &self.terms {
            if let (Some(version), false) = (term.version(), is_version_checked) {
                is_version_checked = true;
                all.push(Expression::Meta(PROTOCOL));
                all.push(compare(true, vec![version.family().number()]));
            }
            term.expressions(&mut all);
        }
        all
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

    fn version(&self) -> Option<IpVersion> {
        match self {
            Self::Prefix { prefix, .. } => Some(IpVersion::of(prefix.network())),
            Self::Member { version, .. } | Self::IpVersion(version) => Some(*version),
            Self::ToLoopback { .. } => Some(IpVersion::V4),
            Self::Icmpv6(_) => Some(IpVersion::V6),
            _ => None,
        }
    }

    fn expressions(&self, all: &mut Vec<Expression>) {
        match self {
            Self::Link { way, prefix, is } => {
                all.push(Expression::Meta(match way {
                    Direction::In => IN_NAME,
                    Direction::Out => OUT_NAME,
                }));
                all.push(compare(*is, prefix.clone().into_bytes()));
            }
            Self::Prefix { end, prefix } => {
                all.push(end.load(IpVersion::of(prefix.network())));
                if prefix.prefix_len() < prefix.max_prefix_len() {
                    all.push(Expression::Mask(octets(prefix.netmask())));
                }
                all.push(compare(true, octets(prefix.network())));
            }
            Self::ToLoopback { is } => {
                all.push(first_byte(Layer::Network, DESTINATION_V4));
                all.push(compare(*is, vec![127]));
            }
            Self::Member {
                end,
                version,
                set,
                is,
            } => {
                all.push(end.load(*version));
                let (set, is_member) = (set.clone(), *is);
                all.push(Expression::Lookup { set, is_member });
            }
            Self::Icmpv6(kind) => all.extend([
                Expression::Meta(TRANSPORT),
                compare(true, vec![ICMPV6]),
                first_byte(Layer::Transport, 0),
                compare(true, vec![*kind]),
            ]),
            // `NftRule::expressions` has added the check.
            Self::IpVersion(_) => {}
            Self::ReversePath { is } => {
                let (result, flags) = (FIB_OIF, FIB_SADDR_IIF_PRESENT);
                all.push(Expression::Fib { result, flags });
                // nft compares a whole register, although the value is a boolean.
                all.push(compare(true, u32::from(*is).to_ne_bytes().to_vec()));
            }
            Self::Limit { rate, burst } => {
                let (rate, burst) = (*rate, *burst);
                all.push(Expression::Limit { rate, burst });
            }
            Self::Counter => all.push(Expression::Counter),
            Self::Masquerade => all.push(Expression::Masquerade {
                flags: FULLY_RANDOM,
            }),
            Self::Verdict(verdict) => all.push(Expression::Verdict(*verdict)),
        }
    }
}

impl AddressField {
    /// RFC 791 section 3.1, RFC 8200 section 3.
    fn load(self, version: IpVersion) -> Expression {
        let source = match version {
            IpVersion::V4 => 12,
            IpVersion::V6 => 8,
        };
        let length = version.length();
        let offset = match self {
            Self::Source => source,
            Self::Destination => source + length,
        };
        Expression::Header {
            layer: Layer::Network,
            offset,
            length,
        }
    }
}

/// The byte at `offset` in a header.
fn first_byte(layer: Layer, offset: u32) -> Expression {
    Expression::Header {
        layer,
        offset,
        length: 1,
    }
}

fn compare(equal: bool, value: Vec<u8>) -> Expression {
    Expression::Compare { equal, value }
}

pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}
