//! Expressions as attributes: `NFTA_META_*`, `NFTA_PAYLOAD_*` and so on.

use super::{
    AT_LEAST, AT_MOST, EQUAL, Expression, INVERTED, LIMIT_PACKETS, MATCH_INFO, NOT_EQUAL,
    PER_SECOND, Register, VERDICT_REGISTER,
};
use crate::netfilter::attributes::Attributes;
use crate::nft::numbers::{data, expression};

/// The register that all expressions read from.
const REGISTER: u32 = 1;

impl Expression {
    /// Encodes it.
    pub(in super::super) fn attributes(&self) -> Attributes {
        let none = Attributes::default();
        let into = |register: Register| Attributes::default().number(1, register.number());
        let (name, inner) = match self {
            Self::Meta(key, register) => ("meta", into(*register).number(2, *key)),
            Self::Header {
                layer,
                offset,
                length,
                register,
            } => {
                let from = into(*register).number(2, *layer as u32);
                ("payload", from.number(3, *offset).number(4, *length))
            }
            Self::Connection(key) => ("ct", into(Register::FIRST).number(2, *key)),
            Self::Fib { result, flags } => {
                let load = into(Register::FIRST).number(2, *result);
                ("fib", load.number(3, *flags))
            }
            Self::Mask(mask) => ("bitwise", mask_attributes(mask)),
            Self::Compare { equal, value } => {
                let operation = if *equal { EQUAL } else { NOT_EQUAL };
                ("cmp", comparison(operation, value))
            }
            Self::AtLeast(value) => ("cmp", comparison(AT_LEAST, value)),
            Self::AtMost(value) => ("cmp", comparison(AT_MOST, value)),
            Self::Lookup { set, is_member } => {
                let flags = if *is_member { 0 } else { INVERTED };
                ("lookup", lookup(set).number(5, flags))
            }
            Self::VerdictMap(map) => ("lookup", lookup(map).number(3, VERDICT_REGISTER)),
            Self::Counter => ("counter", none),
            Self::Log {
                group,
                prefix,
                snap_length,
            } => {
                let to = none.short(1, *group).text(2, prefix);
                ("log", to.number(3, *snap_length))
            }
            Self::Limit { rate, burst } => ("limit", limit_attributes(*rate, *burst)),
            Self::Masquerade { flags } => ("masq", none.number(1, *flags)),
            Self::Verdict(verdict) => {
                let register = none.number(1, VERDICT_REGISTER);
                ("immediate", register.nest(2, &verdict.data()))
            }
            Self::Comment(text) => ("match", none.text(1, "comment").text(MATCH_INFO, text)),
            Self::Other(name) => (name.as_str(), none),
        };
        named(name, &inner)
    }
}

pub(super) fn named(name: &str, inner: &Attributes) -> Attributes {
    Attributes::default()
        .text(expression::NAME, name)
        .nest(expression::DATA, inner)
}

/// A value as `NFTA_DATA_VALUE`.
fn value(bytes: &[u8]) -> Attributes {
    Attributes::default().bytes(data::VALUE, bytes)
}

/// `NFTA_CMP_*`.
fn comparison(operation: u32, bytes: &[u8]) -> Attributes {
    Attributes::default()
        .number(1, REGISTER)
        .number(2, operation)
        .nest(3, &value(bytes))
}

/// `NFTA_LOOKUP_*`.
fn lookup(set: &str) -> Attributes {
    Attributes::default().text(1, set).number(2, REGISTER)
}

/// `NFTA_BITWISE_*`: what is in the register, and the mask, exclusive or with zeros.
fn mask_attributes(mask: &[u8]) -> Attributes {
    let length = u32::try_from(mask.len()).unwrap_or_default();
    Attributes::default()
        .number(1, REGISTER)
        .number(2, REGISTER)
        .number(3, length)
        .nest(4, &value(mask))
        .nest(5, &value(&vec![0; mask.len()]))
}

/// `NFTA_LIMIT_*`.
fn limit_attributes(rate: u64, burst: u32) -> Attributes {
    Attributes::default()
        .long(1, rate)
        .long(2, PER_SECOND)
        .number(3, burst)
        .number(4, LIMIT_PACKETS)
}
