//! nftables expressions, of which rules consist in the kernel: each loads a value into a register,
//! or tests what was loaded.

use super::attributes::{Attributes, Received};

/// The only data register that we use (`NFT_REG_1`), and the verdict register (`NFT_REG_VERDICT`).
const REGISTER: u32 = 1;
const VERDICT_REGISTER: u32 = 0;

/// `NFTA_EXPR_*`, `NFTA_DATA_*`, `NFTA_VERDICT_CODE`.
const NAME: u16 = 1;
const DATA: u16 = 2;
const VALUE: u16 = 1;
const VERDICT: u16 = 2;
const CODE: u16 = 1;

/// `NFTA_MATCH_INFO`.
const MATCH_INFO: u16 = 3;

/// `NFTA_LIMIT_UNIT` in seconds; `NFT_LIMIT_PKTS`.
const PER_SECOND: u64 = 1;
const LIMIT_PACKETS: u32 = 0;

/// `NFT_LOOKUP_F_INV`.
const INVERTED: u32 = 1;

/// An expression of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// Loads metadata of the packet (`NFT_META_*`).
    Meta(u32),
    /// Loads bytes of the packet.
    Header {
        /// From this header.
        layer: Layer,
        /// Offset in bytes.
        offset: u32,
        /// How many.
        length: u32,
    },
    /// Loads the result of a route look-up.
    Fib {
        /// What to load (`NFT_FIB_RESULT_*`).
        result: u32,
        /// What to look up (`NFTA_FIB_F_*`).
        flags: u32,
    },
    /// Clears the loaded bits that are not set here.
    Mask(Vec<u8>),
    /// Matches if the loaded value begins with `value`, or if it does not.
    Compare {
        /// Whether it must begin with it, or must not.
        equal: bool,
        /// The bytes.
        value: Vec<u8>,
    },
    /// Matches if the loaded value is in a set, or if it is not.
    Lookup {
        /// The set's name.
        set: String,
        /// Whether it must be a member, or must not.
        is_member: bool,
    },
    /// Counts packets and bytes.
    Counter,
    /// Matches this many packets a second.
    Limit {
        /// Packets a second in the long run.
        rate: u64,
        /// Packets at once.
        burst: u32,
    },
    /// Masquerades: sets this node's address as the source (`NF_NAT_RANGE_*`).
    Masquerade {
        /// How the source port is chosen.
        flags: u32,
    },
    /// Ends the rule with a verdict.
    Verdict(NftVerdict),
    /// A comment in the way of iptables (an `xt_comment` match).
    Comment(String),
    /// An expression that we never write: its name and, for xtables matches and targets, theirs.
    Other(String),
}

/// A header of a packet (`NFT_PAYLOAD_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The IP header.
    Network = 1,
    /// The transport header.
    Transport = 2,
}

impl Layer {
    fn of(base: u32) -> Option<Self> {
        let mut layers = [Self::Network, Self::Transport].into_iter();
        layers.find(|layer| *layer as u32 == base)
    }
}

/// The verdict on a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NftVerdict {
    /// The packet passes this chain.
    Accept,
    /// The packet is dropped.
    Drop,
}

impl NftVerdict {
    /// `NF_DROP`, `NF_ACCEPT`.
    pub(super) fn code(self) -> u32 {
        match self {
            Self::Drop => 0,
            Self::Accept => 1,
        }
    }

    /// `None` for jumps to other chains.
    pub(super) fn of(code: u32) -> Option<Self> {
        [Self::Drop, Self::Accept]
            .into_iter()
            .find(|verdict| verdict.code() == code)
    }
}

impl Expression {
    /// Encodes it: `NFTA_META_*`, `NFTA_PAYLOAD_*` and so on.
    pub(super) fn attributes(&self) -> Attributes {
        let none = Attributes::default();
        let (name, inner) = match self {
            Self::Meta(key) => ("meta", none.number(1, REGISTER).number(2, *key)),
            Self::Header {
                layer,
                offset,
                length,
            } => (
                "payload",
                none.number(1, REGISTER)
                    .number(2, *layer as u32)
                    .number(3, *offset)
                    .number(4, *length),
            ),
            Self::Fib { result, flags } => (
                "fib",
                none.number(1, REGISTER)
                    .number(2, *result)
                    .number(3, *flags),
            ),
            Self::Mask(mask) => ("bitwise", mask_attributes(mask)),
            Self::Compare { equal, value } => (
                "cmp",
                none.number(1, REGISTER)
                    .number(2, u32::from(!equal))
                    .nest(3, &data(value)),
            ),
            Self::Lookup { set, is_member } => {
                let flags = if *is_member { 0 } else { INVERTED };
                let lookup = none.text(1, set).number(2, REGISTER);
                ("lookup", lookup.number(5, flags))
            }
            Self::Counter => ("counter", none),
            Self::Limit { rate, burst } => ("limit", limit_attributes(*rate, *burst)),
            Self::Masquerade { flags } => ("masq", none.number(1, *flags)),
            Self::Verdict(verdict) => {
                let code = none.clone().number(CODE, verdict.code());
                let decision = none.clone().nest(VERDICT, &code);
                let register = none.number(1, VERDICT_REGISTER);
                ("immediate", register.nest(2, &decision))
            }
            Self::Comment(text) => {
                let info = none.text(1, "comment").text(MATCH_INFO, text);
                ("match", info)
            }
            Self::Other(name) => (name.as_str(), none),
        };
        Attributes::default().text(NAME, name).nest(DATA, &inner)
    }

    /// Parses it. An expression with more than the known attributes is [`Expression::Other`].
    pub(super) fn read(attributes: Received<'_>) -> Self {
        let name = attributes.text(NAME).unwrap_or_default();
        let inner = attributes.nested(DATA);
        Self::parse_known(name, inner).unwrap_or_else(|| match name {
            // xtables extensions of iptables-nft: `NFTA_TARGET_NAME`, `NFTA_MATCH_NAME`.
            "target" | "match" => {
                Self::Other(format!("{name} {}", inner.text(1).unwrap_or_default()))
            }
            _ => Self::Other(name.to_owned()),
        })
    }

    fn parse_known(name: &str, inner: Received<'_>) -> Option<Self> {
        let is = |kind, expected| (inner.number(kind) == Some(expected)).then_some(());
        Some(match name {
            "meta" => {
                is(1, REGISTER)?;
                Self::Meta(inner.number(2)?)
            }
            "payload" => {
                is(1, REGISTER)?;
                Self::Header {
                    layer: Layer::of(inner.number(2)?)?,
                    offset: inner.number(3)?,
                    length: inner.number(4)?,
                }
            }
            "fib" => {
                is(1, REGISTER)?;
                let (result, flags) = (inner.number(2)?, inner.number(3)?);
                Self::Fib { result, flags }
            }
            "bitwise" => {
                is(1, REGISTER)?;
                is(2, REGISTER)?;
                Self::Mask(parse_mask(inner)?)
            }
            "cmp" => {
                is(1, REGISTER)?;
                let operation = inner.number(2).filter(|operation| *operation <= 1)?;
                let (equal, value) = (operation == 0, parse_data(inner, 3)?);
                Self::Compare { equal, value }
            }
            "lookup" => {
                is(2, REGISTER)?;
                let set = inner.text(1)?.to_owned();
                let is_member = inner.number(5).unwrap_or_default() & INVERTED == 0;
                Self::Lookup { set, is_member }
            }
            "counter" => Self::Counter,
            "limit" => {
                let (rate, burst) = parse_limit(inner)?;
                Self::Limit { rate, burst }
            }
            // Attribute 2 is NFTA_MASQ_REG_PROTO_MIN, the lowest source port.
            "masq" if inner.bytes(2).is_none() => Self::Masquerade {
                flags: inner.number(1).unwrap_or_default(),
            },
            "immediate" => {
                is(1, VERDICT_REGISTER)?;
                let code = inner.nested(2).nested(VERDICT).number(CODE)?;
                Self::Verdict(NftVerdict::of(code)?)
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

/// A value as `NFTA_DATA_VALUE`.
fn data(value: &[u8]) -> Attributes {
    Attributes::default().bytes(VALUE, value)
}

/// `NFTA_BITWISE_*`: what is in the register, and the mask, exclusive or with zeros.
fn mask_attributes(mask: &[u8]) -> Attributes {
    let length = u32::try_from(mask.len()).unwrap_or_default();
    Attributes::default()
        .number(1, REGISTER)
        .number(2, REGISTER)
        .number(3, length)
        .nest(4, &data(mask))
        .nest(5, &data(&vec![0; mask.len()]))
}

/// `NFTA_LIMIT_*`.
fn limit_attributes(rate: u64, burst: u32) -> Attributes {
    Attributes::default()
        .long(1, rate)
        .long(2, PER_SECOND)
        .number(3, burst)
        .number(4, LIMIT_PACKETS)
}

fn parse_data(inner: Received<'_>, kind: u16) -> Option<Vec<u8>> {
    Some(inner.nested(kind).bytes(VALUE)?.to_vec())
}

/// The mask of an operation that does nothing else.
fn parse_mask(inner: Received<'_>) -> Option<Vec<u8>> {
    // Kernels before 5.6 have one operation and do not name it: NFT_BITWISE_BOOL.
    is_zero_or_absent(inner, 6)?;
    let has_xor = parse_data(inner, 5)?.iter().any(|byte| *byte != 0);
    parse_data(inner, 4).filter(|_| !has_xor)
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

#[cfg(test)]
mod tests;
