//! Expressions from attributes.

use super::{
    AT_LEAST, AT_MOST, EQUAL, Expression, INVERTED, LIMIT_PACKETS, Layer, MATCH_INFO, NOT_EQUAL,
    PER_SECOND, Register, VERDICT_REGISTER,
};
use crate::netfilter::attributes::Received;
use crate::nft::numbers::{data, expression};
use crate::nft::verdict::NftVerdict;

/// The register that all expressions read from.
const REGISTER: u32 = 1;

impl Expression {
    /// Parses it. An expression with more than the known attributes is [`Expression::Other`].
    pub(in super::super) fn read(attributes: Received<'_>) -> Self {
        let (name, inner) = parts(attributes);
        let known = Self::parse_load(name, inner)
            .or_else(|| Self::parse_test(name, inner))
            .or_else(|| Self::parse_action(name, inner));
        known.unwrap_or_else(|| match name {
            // xtables extensions of iptables-nft: `NFTA_TARGET_NAME`, `NFTA_MATCH_NAME`.
            "target" | "match" => {
                Self::Other(format!("{name} {}", inner.text(1).unwrap_or_default()))
            }
            _ => Self::Other(name.to_owned()),
        })
    }

    fn parse_load(name: &str, inner: Received<'_>) -> Option<Self> {
        match name {
            "meta" => {
                let register = Register::of(inner.number(1)?)?;
                Some(Self::Meta(inner.number(2)?, register))
            }
            "payload" => Some(Self::Header {
                register: Register::of(inner.number(1)?)?,
                layer: Layer::of(inner.number(2)?)?,
                offset: inner.number(3)?,
                length: inner.number(4)?,
            }),
            // `NFTA_CT_DIRECTION` is one byte.
            "ct" if inner.bytes(3).is_none() => {
                is(inner, 1, REGISTER)?;
                Some(Self::Connection(inner.number(2)?))
            }
            "fib" => {
                is(inner, 1, REGISTER)?;
                let (result, flags) = (inner.number(2)?, inner.number(3)?);
                Some(Self::Fib { result, flags })
            }
            _ => None,
        }
    }

    fn parse_test(name: &str, inner: Received<'_>) -> Option<Self> {
        match name {
            "bitwise" => {
                is(inner, 1, REGISTER)?;
                is(inner, 2, REGISTER)?;
                parse_mask(inner).map(Self::Mask)
            }
            "cmp" => {
                is(inner, 1, REGISTER)?;
                let value = parse_value(inner, 3)?;
                Some(match inner.number(2)? {
                    EQUAL => Self::Compare { equal: true, value },
                    NOT_EQUAL => Self::Compare {
                        equal: false,
                        value,
                    },
                    AT_LEAST => Self::AtLeast(value),
                    AT_MOST => Self::AtMost(value),
                    _ => return None,
                })
            }
            "lookup" => {
                is(inner, 2, REGISTER)?;
                let set = inner.text(1)?.to_owned();
                let is_member = inner.number(5).unwrap_or_default() & INVERTED == 0;
                match inner.number(3) {
                    None => Some(Self::Lookup { set, is_member }),
                    Some(VERDICT_REGISTER) => Some(Self::VerdictMap(set)),
                    Some(_) => None,
                }
            }
            _ => None,
        }
    }

    fn parse_action(name: &str, inner: Received<'_>) -> Option<Self> {
        Some(match name {
            "counter" => Self::Counter,
            "log" => {
                // A queue threshold, a level or flags.
                [4, 5, 6]
                    .into_iter()
                    .all(|kind| inner.bytes(kind).is_none())
                    .then_some(())?;
                Self::Log {
                    group: inner.short(1)?,
                    prefix: inner.text(2)?.to_owned(),
                    snap_length: inner.number(3)?,
                }
            }
            "limit" => {
                let (rate, burst) = parse_limit(inner)?;
                Self::Limit { rate, burst }
            }
            // Attribute 2 is NFTA_MASQ_REG_PROTO_MIN, the lowest source port.
            "masq" if inner.bytes(2).is_none() => Self::Masquerade {
                flags: inner.number(1).unwrap_or_default(),
            },
            "immediate" => {
                is(inner, 1, VERDICT_REGISTER)?;
                Self::Verdict(NftVerdict::of_data(inner.nested(2))?)
            }
            // `struct xt_comment_info`: 256 bytes, zeros after the text.
            "match" if inner.text(1) == Some("comment") => {
                let info = inner.bytes(MATCH_INFO)?.split(|byte| *byte == 0).next()?;
                Self::Comment(String::from_utf8(info.to_vec()).ok()?)
            }
            _ => return None,
        })
    }
}

/// Packets and bytes of a counter; `None` if it is another expression.
pub(in super::super) fn counts(attributes: Received<'_>) -> Option<(u64, u64)> {
    let (name, inner) = parts(attributes);
    let number = |kind| (name == "counter").then(|| inner.long(kind)).flatten();
    Some((
        number(expression::COUNTER_PACKETS)?,
        number(expression::COUNTER_BYTES)?,
    ))
}

fn parts(attributes: Received<'_>) -> (&str, Received<'_>) {
    let name = attributes.text(expression::NAME).unwrap_or_default();
    (name, attributes.nested(expression::DATA))
}

fn is(inner: Received<'_>, kind: u16, expected: u32) -> Option<()> {
    (inner.number(kind) == Some(expected)).then_some(())
}

fn parse_value(inner: Received<'_>, kind: u16) -> Option<Vec<u8>> {
    Some(inner.nested(kind).bytes(data::VALUE)?.to_vec())
}

/// The mask of an operation that does nothing else.
fn parse_mask(inner: Received<'_>) -> Option<Vec<u8>> {
    // Kernels before 5.6 have one operation and do not name it: NFT_BITWISE_BOOL.
    is_zero_or_absent(inner, 6)?;
    let has_xor = parse_value(inner, 5)?.iter().any(|byte| *byte != 0);
    parse_value(inner, 4).filter(|_| !has_xor)
}

/// The rate and the burst of a limit of packets that matches what does not exceed it.
fn parse_limit(inner: Received<'_>) -> Option<(u64, u32)> {
    let is_of_packets = inner.number(4) == Some(LIMIT_PACKETS);
    let is_usual = is_of_packets && inner.long(2) == Some(PER_SECOND);
    is_usual.then_some(())?;
    is_zero_or_absent(inner, 5)?;
    Some((inner.long(1)?, inner.number(3)?))
}

fn is_zero_or_absent(inner: Received<'_>, kind: u16) -> Option<()> {
    let is_it = inner.bytes(kind).is_none() || inner.number(kind) == Some(0);
    is_it.then_some(())
}
