//! Rules and terms as nft prints them.

use std::fmt;

use super::{AddressField, ConnectionState, Direction, NftRule, Term};
use crate::nft::ip_version::IpVersion;

impl fmt::Display for NftRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.terms.iter().map(ToString::to_string).collect();
        f.write_str(&words.join(" "))?;
        match self.fitting_comment() {
            Some(text) => write!(f, " comment \"{text}\""),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = |is: bool| if is { "" } else { "!= " };
        match self {
            Self::Link { way, prefix, is } => {
                write!(f, "{} {}\"{prefix}*\"", link_name(*way), not(*is))
            }
            Self::Prefix { end, prefix } => {
                let key = address(IpVersion::of(prefix.network()), *end);
                if prefix.prefix_len() == prefix.max_prefix_len() {
                    write!(f, "{key} {}", prefix.network())
                } else {
                    write!(f, "{key} {}", prefix.trunc())
                }
            }
            Self::ToLoopback { is } => write!(f, "ip daddr {}127.0.0.0/8", not(*is)),
            Self::Member {
                end,
                version,
                set,
                is,
            } => write!(f, "{} {}@{set}", address(*version, *end), not(*is)),
            Self::Icmpv6(kind) => icmpv6_type(*kind, f),
            Self::IpVersion(IpVersion::V4) => f.write_str("meta nfproto ipv4"),
            Self::IpVersion(IpVersion::V6) => f.write_str("meta nfproto ipv6"),
            Self::ReversePath { is } => {
                let word = if *is { "exists" } else { "missing" };
                write!(f, "fib saddr . iif oif {word}")
            }
            Self::Limit { rate, burst } => {
                write!(f, "limit rate {rate}/second burst {burst} packets")
            }
            Self::Counter => f.write_str("counter"),
            Self::Masquerade => f.write_str("masquerade fully-random"),
            Self::Log {
                group,
                prefix,
                snap_length,
            } => write!(
                f,
                "log prefix \"{prefix}\" group {group} snaplen {snap_length}"
            ),
            Self::Verdict(verdict) => verdict.fmt(f),
            _ => self.fmt_lookup_or_connection(f),
        }
    }
}

impl Term {
    /// Look-ups of several values or of verdicts, and what depends on the connection.
    fn fmt_lookup_or_connection(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MemberPort { protocol, set } => write!(f, "{protocol} dport @{set}"),
            Self::MemberLinkPair { set } => write!(f, "iifname . oifname @{set}"),
            Self::MemberEndpoint { end, version, set } => {
                let key = address(*version, *end);
                write!(f, "{key} . meta l4proto . th dport @{set}")
            }
            Self::LinkVerdict { way, map } => write!(f, "{} vmap @{map}", link_name(*way)),
            Self::ConnectionStates(states) => {
                let words: Vec<_> = states.iter().map(ToString::to_string).collect();
                write!(f, "ct state {}", words.join(","))
            }
            Self::NoTcpStart => f.write_str("tcp flags != syn / fin,syn,rst,ack"),
            Self::Protocol(protocol) => write!(f, "meta l4proto {protocol}"),
            Self::Ports { protocol, ports } if ports.start() == ports.end() => {
                write!(f, "{protocol} dport {}", ports.start())
            }
            Self::Ports { protocol, ports } => {
                write!(f, "{protocol} dport {}-{}", ports.start(), ports.end())
            }
            _ => Ok(()),
        }
    }
}

fn link_name(way: Direction) -> &'static str {
    match way {
        Direction::In => "iifname",
        Direction::Out => "oifname",
    }
}

/// `ip saddr` and so on.
fn address(version: IpVersion, end: AddressField) -> &'static str {
    match (version, end) {
        (IpVersion::V4, AddressField::Source) => "ip saddr",
        (IpVersion::V4, AddressField::Destination) => "ip daddr",
        (IpVersion::V6, AddressField::Source) => "ip6 saddr",
        (IpVersion::V6, AddressField::Destination) => "ip6 daddr",
    }
}

fn icmpv6_type(kind: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let name = match kind {
        Term::ROUTER_ADVERTISEMENT => "nd-router-advert",
        Term::NEIGHBOUR_SOLICITATION => "nd-neighbor-solicit",
        Term::NEIGHBOUR_ADVERTISEMENT => "nd-neighbor-advert",
        131 => "mld-listener-report",
        132 => "mld-listener-done",
        143 => "mld2-listener-report",
        Term::REDIRECT => "nd-redirect",
        other => return write!(f, "icmpv6 type {other}"),
    };
    write!(f, "icmpv6 type {name}")
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid => "invalid",
            Self::Established => "established",
            Self::Related => "related",
            Self::New => "new",
            Self::Untracked => "untracked",
        })
    }
}
