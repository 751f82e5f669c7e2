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
        let data = |value: &[u8]| Attributes::default().bytes(VALUE, value);
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
            Self::Mask(mask) => {
                let length = u32::try_from(mask.len()).unwrap_or_default();
                let registers = none.number(1, REGISTER).number(2, REGISTER);
                let mask_and_xor = registers
                    .number(3, length)
                    .nest(4, &data(mask))
                    .nest(5, &data(&vec![0; mask.len()]));
                ("bitwise", mask_and_xor)
            }
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
            Self::Limit { rate, burst } => (
                "limit",
                none.long(1, *rate)
                    .long(2, PER_SECOND)
                    .number(3, *burst)
                    .number(4, LIMIT_PACKETS),
            ),
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
        let data = |kind| Some(inner.nested(kind).bytes(VALUE)?.to_vec());
        Some(match name {
            "meta" => {
                is(1, REGISTER)?;
                Self::Meta(inner.number(2)?)
            }
            "payload" => {
                is(1, REGISTER)?;
                let layers = [Layer::Network, Layer::Transport];
                let base = inner.number(2)?;
                Self::Header {
                    layer: layers.into_iter().find(|layer| *layer as u32 == base)?,
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
                // Kernels before 5.6 have one operation and do not name it: NFT_BITWISE_BOOL.
                is(6, 0).or_else(|| inner.bytes(6).is_none().then_some(()))?;
                let has_xor = data(5)?.iter().any(|byte| *byte != 0);
                Self::Mask(data(4).filter(|_| !has_xor)?)
            }
            "cmp" => {
                is(1, REGISTER)?;
                let operation = inner.number(2).filter(|operation| *operation <= 1)?;
                let (equal, value) = (operation == 0, data(3)?);
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
                // Not a limit of bytes, and not one that matches what exceeds it.
                is(4, LIMIT_PACKETS)?;
                is(5, 0).or_else(|| inner.bytes(5).is_none().then_some(()))?;
                (inner.long(2) == Some(PER_SECOND)).then_some(())?;
                let (rate, burst) = (inner.long(1)?, inner.number(3)?);
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

#[cfg(test)]
mod tests;
