//! The kernel expressions of terms.

use super::{AddressField, Direction, NftRule, Term};
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
            term.expressions(&mut all);
        }
        all
    }
}

impl Term {
    fn version(&self) -> Option<IpVersion> {
        match self {
            Self::Prefix { prefix, .. } => Some(IpVersion::of(prefix.network())),
            Self::Member { version, .. }
            | Self::MemberPair { version, .. }
            | Self::MemberEndpoint { version, .. }
            | Self::VerdictMap { version, .. }
            | Self::IpVersion(version) => Some(*version),
            Self::ToLoopback { .. } => Some(IpVersion::V4),
            Self::Icmpv6(_) => Some(IpVersion::V6),
            _ => None,
        }
    }

    fn expressions(&self, all: &mut Vec<Expression>) {
        match self {
            Self::Link { way, prefix, is } => {
                all.push(meta(match way {
                    Direction::In => IN_NAME,
                    Direction::Out => OUT_NAME,
                }));
                all.push(compare(*is, prefix.clone().into_bytes()));
            }
            Self::Prefix { end, prefix } => {
                all.push(end.load(IpVersion::of(prefix.network()), Register::FIRST));
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
                all.push(end.load(*version, Register::FIRST));
                let (set, is_member) = (set.clone(), *is);
                all.push(Expression::Lookup { set, is_member });
            }
            Self::MemberPair { version, set } => {
                let (source, destination) = (AddressField::Source, AddressField::Destination);
                let second = Register::FIRST.after(version.length());
                all.push(source.load(*version, Register::FIRST));
                all.push(destination.load(*version, second));
                all.push(lookup(set));
            }
            Self::MemberEndpoint { end, version, set } => {
                let second = Register::FIRST.after(version.length());
                all.push(end.load(*version, Register::FIRST));
                all.push(Expression::Meta(TRANSPORT, second));
                all.push(destination_port(second.after(1)));
                all.push(lookup(set));
            }
            Self::VerdictMap { end, version, map } => {
                all.push(end.load(*version, Register::FIRST));
                all.push(Expression::VerdictMap(map.clone()));
            }
            Self::ConnectionStates(states) => {
                let bits = states.iter().fold(0, |bits, state| bits | *state as u32);
                all.push(Expression::Connection(CONNECTION_STATE));
                all.push(Expression::Mask(bits.to_ne_bytes().to_vec()));
                all.push(compare(false, vec![0; size_of::<u32>()]));
            }
            Self::Protocol(protocol) => all.extend(is_protocol(*protocol)),
            Self::Ports { protocol, ports } => {
                let [first, last] = [ports.start(), ports.end()].map(|port| port.to_be_bytes());
                all.extend(is_protocol(*protocol));
                all.push(destination_port(Register::FIRST));
                if first == last {
                    all.push(compare(true, first.to_vec()));
                } else {
                    all.push(Expression::AtLeast(first.to_vec()));
                    all.push(Expression::AtMost(last.to_vec()));
                }
            }
            Self::Icmpv6(kind) => {
                all.extend(is_protocol(IpProtocol::ICMPV6));
                all.push(first_byte(Layer::Transport, 0));
                all.push(compare(true, vec![*kind]));
            }
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
            Self::Log {
                group,
                prefix,
                snap_length,
            } => all.push(Expression::Log {
                group: *group,
                prefix: prefix.clone(),
                snap_length: *snap_length,
            }),
            Self::Masquerade => all.push(Expression::Masquerade {
                flags: FULLY_RANDOM,
            }),
            Self::Verdict(verdict) => all.push(Expression::Verdict(verdict.clone())),
        }
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

fn lookup(set: &str) -> Expression {
    Expression::Lookup {
        set: set.to_owned(),
        is_member: true,
    }
}

fn compare(equal: bool, value: Vec<u8>) -> Expression {
    Expression::Compare { equal, value }
}
