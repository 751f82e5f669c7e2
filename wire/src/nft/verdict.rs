//! Verdicts on packets.

use std::fmt;

use super::numbers::data;
use crate::netfilter::attributes::{Attributes, Received};

/// `NFT_JUMP`, `NFT_GOTO`, `NFT_RETURN`, `NF_DROP`, `NF_ACCEPT`.
const JUMP: i32 = -3;
const GOTO: i32 = -4;
const RETURN: i32 = -5;
const DROP: i32 = 0;
const ACCEPT: i32 = 1;

/// The verdict on a packet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NftVerdict {
    /// The packet passes the base chain.
    Accept,
    /// The packet is dropped.
    Drop,
    /// Back to the chain that jumped here; in a base chain, its policy.
    Return,
    /// On to the chain with that name, and back after it.
    Jump(String),
    /// On to the chain with that name. What returns from it goes to where the last jump came from.
    Goto(String),
}

impl NftVerdict {
    /// As the policy of a chain.
    pub(super) fn code(&self) -> u32 {
        let code = match self {
            Self::Drop => DROP,
            Self::Accept => ACCEPT,
            Self::Return => RETURN,
            Self::Jump(_) => JUMP,
            Self::Goto(_) => GOTO,
        };
        code.cast_unsigned()
    }

    /// The verdict with that code, and for jumps that chain; `None` for others, which we never
    /// write.
    pub(super) fn of(code: u32, chain: Option<&str>) -> Option<Self> {
        Some(match code.cast_signed() {
            DROP => Self::Drop,
            ACCEPT => Self::Accept,
            RETURN => Self::Return,
            JUMP => Self::Jump(chain?.to_owned()),
            GOTO => Self::Goto(chain?.to_owned()),
            _ => return None,
        })
    }

    /// As the data of an expression or an element (`NFTA_DATA_VERDICT`).
    pub(super) fn data(&self) -> Attributes {
        let code = Attributes::default().number(data::CODE, self.code());
        let verdict = match self {
            Self::Jump(chain) | Self::Goto(chain) => code.text(data::CHAIN, chain),
            Self::Accept | Self::Drop | Self::Return => code,
        };
        Attributes::default().nest(data::VERDICT, &verdict)
    }

    /// From the data of an expression or an element.
    pub(super) fn of_data(attributes: Received<'_>) -> Option<Self> {
        let verdict = attributes.nested(data::VERDICT);
        Self::of(verdict.number(data::CODE)?, verdict.text(data::CHAIN))
    }
}

impl fmt::Display for NftVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accept"),
            Self::Drop => f.write_str("drop"),
            Self::Return => f.write_str("return"),
            Self::Jump(chain) => write!(f, "jump {chain}"),
            Self::Goto(chain) => write!(f, "goto {chain}"),
        }
    }
}
