//! nftables expressions, of which rules consist in the kernel: each loads a value into a register,
//! or tests what was loaded.

mod read;
mod register;
mod write;

pub(super) use self::read::counts;
pub use self::register::Register;
use super::verdict::NftVerdict;

/// The verdict register (`NFT_REG_VERDICT`).
const VERDICT_REGISTER: u32 = 0;

/// `NFTA_MATCH_INFO`.
const MATCH_INFO: u16 = 3;

/// `NFTA_LIMIT_UNIT` in seconds; `NFT_LIMIT_PKTS`.
const PER_SECOND: u64 = 1;
const LIMIT_PACKETS: u32 = 0;

/// `NFTA_CMP_OP`: `NFT_CMP_*`.
const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;
const AT_MOST: u32 = 3;
const AT_LEAST: u32 = 5;

/// `NFT_LOOKUP_F_INV`.
const INVERTED: u32 = 1;

/// An expression of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// Loads metadata of the packet (`NFT_META_*`) into a register.
    Meta(u32, Register),
    /// Loads bytes of the packet.
    Header {
        /// From this header.
        layer: Layer,
        /// Offset in bytes.
        offset: u32,
        /// How many.
        length: u32,
        /// Into this register.
        register: Register,
    },
    /// Loads a property of the packet's connection (`NFT_CT_*`).
    Connection(u32),
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
    /// Matches if the loaded number is not less than this one, in network byte order.
    AtLeast(Vec<u8>),
    /// Matches if the loaded number is not greater than this one, in network byte order.
    AtMost(Vec<u8>),
    /// Matches if the loaded value is in a set, or if it is not.
    Lookup {
        /// The set's name.
        set: String,
        /// Whether it must be a member, or must not.
        is_member: bool,
    },
    /// Ends the rule with the verdict that a map has for the loaded value, if it has one.
    VerdictMap(String),
    /// Counts packets and bytes.
    Counter,
    /// Sends the packet to a program (nflog).
    Log {
        /// The group that the program reads.
        group: u16,
        /// A text for the program.
        prefix: String,
        /// How much of the packet at most, in bytes.
        snap_length: u32,
    },
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

#[cfg(test)]
mod tests;
