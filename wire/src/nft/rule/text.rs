//! Rules and terms as nft prints them.

use std::fmt;

use super::{AddressField, Direction, NftRule, Term};
use crate::nft::{IpVersion, NftVerdict};

impl fmt::Display for NftRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.terms.iter().map(ToString::to_string).collect();
        f.write_str(&words.join(" "))?;
        match &self.comment {
            Some(text) => write!(f, " comment \"{text}\""),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = |is: bool| if is { "" } else { "!= " };
        let address = |version: IpVersion, end: AddressField| {
            let version = match version {
                IpVersion::V4 => "ip",
                IpVersion::V6 => "ip6",
            };
            match end {
                AddressField::Source => format!("{version} saddr"),
                AddressField::Destination => format!("{version} daddr"),
            }
        };
        match self {
            Self::Link { way, prefix, is } => {
                let key = match way {
                    Direction::In => "iifname",
                    Direction::Out => "oifname",
                };
                write!(f, "{key} {}\"{prefix}*\"", not(*is))
            }
            Self::Prefix { end, prefix } => {
                let key = address(IpVersion::of(prefix.network()), *end);
                if prefix.prefix_len() == prefix.max_prefix_len() {
                    write!(f, "{key} {}", prefix.network())
                } else {
                    write!(f, "{key} {prefix}")
                }
            }
            Self::ToLoopback { is } => write!(f, "ip daddr {}127.0.0.0/8", not(*is)),
            Self::Member {
                end,
                version,
                set,
                is,
            } => write!(f, "{} {}@{set}", address(*version, *end), not(*is)),
            Self::Icmpv6(kind) => match *kind {
                Self::ROUTER_ADVERTISEMENT => f.write_str("icmpv6 type nd-router-advert"),
                Self::NEIGHBOUR_SOLICITATION => f.write_str("icmpv6 type nd-neighbor-solicit"),
                Self::NEIGHBOUR_ADVERTISEMENT => f.write_str("icmpv6 type nd-neighbor-advert"),
                131 => f.write_str("icmpv6 type mld-listener-report"),
                132 => f.write_str("icmpv6 type mld-listener-done"),
                143 => f.write_str("icmpv6 type mld2-listener-report"),
                Self::REDIRECT => f.write_str("icmpv6 type nd-redirect"),
                other => write!(f, "icmpv6 type {other}"),
            },
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
            Self::Verdict(NftVerdict::Accept) => f.write_str("accept"),
            Self::Verdict(NftVerdict::Drop) => f.write_str("drop"),
        }
    }
}
