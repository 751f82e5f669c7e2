//! The kernel expressions of terms.

use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::{AddressField, ConnectionState, Direction, NftRule, Term};
use crate::ip_protocol::IpProtocol;
use crate::nft::expression::{Expression, Layer, Register};
use crate::nft::ip_version::IpVersion;
use crate::nft::key::octets;
use crate::nft::types::TableFamily;

/// `NFT_META_IIFNAME`, `NFT_META_OIFNAME`, `NFT_META_NFPROTO`, `NFT_META_L4PROTO`.
const IN_NAME: u32 = 6;
const OUT_NAME: u32 = 7;
const PROTOCOL: u32 = 15;
const TRANSPORT: u32 = 16;

/// The length of a link's name in registers (`IFNAMSIZ`).
const NAME_LENGTH: u32 = 16;

/// The flags in a TCP header (RFC 9293 section 3.1).
const TCP_FLAGS: u32 = 13;
const FIN_SYN_RST_ACK: u8 = 0x17;
const SYN: u8 = 0x02;

/// `NFT_CT_STATE`.
const CONNECTION_STATE: u32 = 0;

/// Offset and length of the destination port in a TCP, UDP or SCTP header (RFC 9293 section 3.1, RFC
/// 768, RFC 9260 section 3.1).
const PORT_OFFSET: u32 = 2;
const PORT_LENGTH: u32 = 2;

/// `NFT_FIB_RESULT_OIF`; `NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT`.
const FIB_OIF: u32 = 1;
const FIB_SADDR_IIF_PRESENT: u32 = 1 | 8 | 32;

/// Offset of the destination address in an IPv4 header (RFC 791 section 3.1).
const DESTINATION_V4: u32 = 16;

/// `NF_NAT_RANGE_PROTO_RANDOM_FULLY`.
const FULLY_RANDOM: u32 = 16;

impl NftRule {
    /// Its kernel expressions, in a table of that family.
    pub fn expressions(&self, family: TableFamily) -> Vec<Expression> {
        // A table of family inet sees packets of both versions: check it before the first term that
        // depends on the version.
        let mut is_version_checked = family != TableFamily::Inet;
        let mut all = Vec::new();
        for term in &self.terms {
            if let (Some(version), false) = (term.version(), is_version_checked) {
                is_version_checked = true;
                all.push(meta(PROTOCOL));
                all.push(compare(true, vec![version.family().number()]));
            }
            all.extend(term.expressions());
        }
        all
    }
}

impl Term {
    fn version(&self) -> Option<IpVersion> {
        match self {
            Self::Prefix { prefix, .. } => Some(IpVersion::of(prefix.network())),
            Self::Member { version, .. }
            | Self::MemberEndpoint { version, .. }
            | Self::IpVersion(version) => Some(*version),
            Self::ToLoopback { .. } => Some(IpVersion::V4),
            Self::Icmpv6(_) => Some(IpVersion::V6),
            _ => None,
        }
    }

    fn expressions(&self) -> Vec<Expression> {
        match self {
            Self::Link { way, prefix, is } => {
                vec![way.name(), compare(*is, prefix.clone().into_bytes())]
            }
            Self::Prefix { end, prefix } => in_prefix(*end, prefix),
            Self::ToLoopback { is } => {
                let network = first_byte(Layer::Network, DESTINATION_V4);
                vec![network, compare(*is, vec![127])]
            }
            Self::Member {
                end,
                version,
                set,
                is,
            } => vec![end.load(*version, Register::FIRST), lookup(set, *is)],
            Self::MemberPort { protocol, set } => {
                let port = [destination_port(Register::FIRST), lookup(set, true)];
                [is_protocol(*protocol), port].concat()
            }
            Self::MemberLinkPair { set } => in_link_pairs(set),
            Self::MemberEndpoint { end, version, set } => in_endpoints(*end, *version, set),
            Self::LinkVerdict { way, map } => {
                vec![way.name(), Expression::VerdictMap(map.clone())]
            }
            Self::ConnectionStates(states) => has_state(states),
            Self::Protocol(protocol) => is_protocol(*protocol).to_vec(),
            Self::Ports { protocol, ports } => {
                [&is_protocol(*protocol)[..], &has_port(ports)].concat()
            }
            Self::NoTcpStart => {
                let flags = first_byte(Layer::Transport, TCP_FLAGS);
                let mask = Expression::Mask(vec![FIN_SYN_RST_ACK]);
                let is_other = [flags, mask, compare(false, vec![SYN])];
                [&is_protocol(IpProtocol::TCP)[..], &is_other].concat()
            }
            Self::Icmpv6(kind) => {
                let found = first_byte(Layer::Transport, 0);
                let is_kind = [found, compare(true, vec![*kind])];
                [is_protocol(IpProtocol::ICMPV6), is_kind].concat()
            }
            // `NftRule::expressions` has added the check.
            Self::IpVersion(_) => Vec::new(),
            Self::ReversePath { is } => {
                let (result, flags) = (FIB_OIF, FIB_SADDR_IIF_PRESENT);
                // nft compares a whole register, although the value is a boolean.
                let value = u32::from(*is).to_ne_bytes().to_vec();
                vec![Expression::Fib { result, flags }, compare(true, value)]
            }
            _ => self.action().into_iter().collect(),
        }
    }

    /// What a term does that is no condition.
    fn action(&self) -> Option<Expression> {
        Some(match self {
            Self::Limit { rate, burst } => Expression::Limit {
                rate: *rate,
                burst: *burst,
            },
            Self::Counter => Expression::Counter,
            Self::Log {
                group,
                prefix,
                snap_length,
            } => Expression::Log {
                group: *group,
                prefix: prefix.clone(),
                snap_length: *snap_length,
            },
            Self::Masquerade => Expression::Masquerade {
                flags: FULLY_RANDOM,
            },
            Self::Verdict(verdict) => Expression::Verdict(verdict.clone()),
            _ => return None,
        })
    }
}

fn in_prefix(end: AddressField, prefix: &IpNet) -> Vec<Expression> {
    let load = end.load(IpVersion::of(prefix.network()), Register::FIRST);
    let network = compare(true, octets(prefix.network()));
    if prefix.prefix_len() == prefix.max_prefix_len() {
        return vec![load, network];
    }
    vec![load, Expression::Mask(octets(prefix.netmask())), network]
}

fn in_link_pairs(set: &str) -> Vec<Expression> {
    let second = Register::FIRST.after(NAME_LENGTH);
    vec![
        meta(IN_NAME),
        Expression::Meta(OUT_NAME, second),
        lookup(set, true),
    ]
}

fn in_endpoints(end: AddressField, version: IpVersion, set: &str) -> Vec<Expression> {
    let second = Register::FIRST.after(version.length());
    vec![
        end.load(version, Register::FIRST),
        Expression::Meta(TRANSPORT, second),
        destination_port(second.after(1)),
        lookup(set, true),
    ]
}

fn has_state(states: &[ConnectionState]) -> Vec<Expression> {
    let bits = states.iter().fold(0, |bits, state| bits | *state as u32);
    vec![
        Expression::Connection(CONNECTION_STATE),
        Expression::Mask(bits.to_ne_bytes().to_vec()),
        compare(false, vec![0; size_of::<u32>()]),
    ]
}

fn has_port(ports: &RangeInclusive<u16>) -> Vec<Expression> {
    let [first, last] = [ports.start(), ports.end()].map(|port| port.to_be_bytes().to_vec());
    let load = destination_port(Register::FIRST);
    if first == last {
        return vec![load, compare(true, first)];
    }
    vec![load, Expression::AtLeast(first), Expression::AtMost(last)]
}

impl Direction {
    fn name(self) -> Expression {
        meta(match self {
            Self::In => IN_NAME,
            Self::Out => OUT_NAME,
        })
    }
}

impl AddressField {
    /// RFC 791 section 3.1, RFC 8200 section 3.
    fn load(self, version: IpVersion, register: Register) -> Expression {
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
            register,
        }
    }
}

/// The byte at `offset` in a header.
fn first_byte(layer: Layer, offset: u32) -> Expression {
    Expression::Header {
        layer,
        offset,
        length: 1,
        register: Register::FIRST,
    }
}

fn destination_port(register: Register) -> Expression {
    Expression::Header {
        layer: Layer::Transport,
        offset: PORT_OFFSET,
        length: PORT_LENGTH,
        register,
    }
}

fn is_protocol(protocol: IpProtocol) -> [Expression; 2] {
    [meta(TRANSPORT), compare(true, vec![protocol.0])]
}

fn meta(key: u32) -> Expression {
    Expression::Meta(key, Register::FIRST)
}

fn lookup(set: &str, is_member: bool) -> Expression {
    Expression::Lookup {
        set: set.to_owned(),
        is_member,
    }
}

fn compare(equal: bool, value: Vec<u8>) -> Expression {
    Expression::Compare { equal, value }
}
