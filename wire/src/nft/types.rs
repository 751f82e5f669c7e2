//! What tables and chains are known by, and where the kernel calls a chain.

use std::fmt;

use super::expression::Verdict;

/// Which packets a table sees (`NFPROTO_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// Both.
    Inet,
    /// Another of the kernel's numbers; 0 is all of them.
    Other(u8),
}

impl Family {
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

/// What a table is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableId {
    /// Which packets it sees.
    pub family: Family,
    /// Its name.
    pub name: String,
}

impl TableId {
    /// The table of that name.
    pub fn new(family: Family, name: &str) -> Self {
        let name = name.to_owned();
        Self { family, name }
    }
}

/// Where, and in which order, the kernel calls a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// What the chain is for: `filter` or `nat`.
    pub kind: String,
    /// Where on a packet's way it is called (`NF_INET_*`).
    pub number: u32,
    /// Lower ones are called before.
    pub priority: i32,
}

impl Hook {
    /// `NF_INET_PRE_ROUTING`, `NF_INET_FORWARD` and `NF_INET_POST_ROUTING`.
    pub const PREROUTING: u32 = 0;
    /// See [`Hook::PREROUTING`].
    pub const FORWARD: u32 = 2;
    /// See [`Hook::PREROUTING`].
    pub const POSTROUTING: u32 = 4;

    /// `NF_IP_PRI_RAW`: before the kernel looks for a packet's connection.
    pub const RAW: i32 = -300;
    /// `NF_IP_PRI_FILTER`.
    pub const FILTER: i32 = 0;
    /// `NF_IP_PRI_NAT_SRC`.
    pub const SOURCE_NAT: i32 = 100;

    /// A chain of that kind, there, in that order.
    pub fn new(kind: &str, number: u32, priority: i32) -> Self {
        Self {
            kind: kind.to_owned(),
            number,
            priority,
        }
    }
}

impl fmt::Display for Family {
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

/// What the kernel does with a packet that no rule decided on.
pub(super) const POLICY: Verdict = Verdict::Accept;
