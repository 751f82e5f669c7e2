//! Families, table names and hooks of nftables.

use std::fmt;

use super::verdict::NftVerdict;

/// The family of a table (`NFPROTO_*`): which packets it sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TableFamily {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// Both.
    Inet,
    /// Another number of the kernel; 0 means all families.
    Other(u8),
}

impl TableFamily {
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Inet => 1,
            Self::Ip => 2,
            Self::Ip6 => 10,
            Self::Other(number) => number,
        }
    }

    pub(super) fn of(number: u8) -> Self {
        let known = [Self::Ip, Self::Ip6, Self::Inet].into_iter();
        known
            .into_iter()
            .find(|family| family.number() == number)
            .unwrap_or(Self::Other(number))
    }
}

/// The identity of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId {
    /// Its family.
    pub family: TableFamily,
    /// Its name.
    pub name: String,
}

impl TableId {
    /// The table with that name.
    pub fn new(family: TableFamily, name: &str) -> Self {
        let name = name.to_owned();
        Self { family, name }
    }
}

/// The hook of a base chain: where, and in which order, the kernel calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The type of the chain: `filter` or `nat`.
    pub kind: String,
    /// The hook number (`NF_INET_*`).
    pub number: u32,
    /// Chains with a lower priority are called first.
    pub priority: i32,
}

impl Hook {
    /// `NF_INET_PRE_ROUTING`, `NF_INET_FORWARD` and `NF_INET_POST_ROUTING`.
    pub const PREROUTING: u32 = 0;
    /// See [`Hook::PREROUTING`].
    pub const FORWARD: u32 = 2;
    /// See [`Hook::PREROUTING`].
    pub const POSTROUTING: u32 = 4;

    /// `NF_IP_PRI_RAW`: before connection tracking.
    pub const RAW: i32 = -300;
    /// `NF_IP_PRI_FILTER`.
    pub const FILTER: i32 = 0;
    /// `NF_IP_PRI_NAT_SRC`.
    pub const SOURCE_NAT: i32 = 100;

    /// A hook.
    pub fn new(kind: &str, number: u32, priority: i32) -> Self {
        Self {
            kind: kind.to_owned(),
            number,
            priority,
        }
    }
}

impl fmt::Display for TableFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip => f.write_str("ip"),
            Self::Ip6 => f.write_str("ip6"),
            Self::Inet => f.write_str("inet"),
            Self::Other(number) => write!(f, "family{number}"),
        }
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.family, self.name)
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hook = match self.number {
            Self::PREROUTING => "prerouting",
            Self::FORWARD => "forward",
            Self::POSTROUTING => "postrouting",
            1 => "input",
            3 => "output",
            _ => "ingress",
        };
        write!(f, "type {} hook {hook} priority ", self.kind)?;
        match (self.priority, self.number) {
            (Self::RAW, _) => f.write_str("raw"),
            (Self::FILTER, _) => f.write_str("filter"),
            (Self::SOURCE_NAT, Self::POSTROUTING) => f.write_str("srcnat"),
            (other, _) => other.fmt(f),
        }
    }
}

/// The policy of our base chains: what happens to a packet that no rule decides on.
pub(super) const POLICY: NftVerdict = NftVerdict::Accept;
