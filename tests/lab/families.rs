//! The address families of a lab's pods: IPv4, IPv6 or both.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::Error;

/// The address families of pods. Nodes always have both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Families {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Both.
    #[default]
    Dual,
}

impl Families {
    /// The pod CIDRs of a lab.
    pub fn pod_cidrs(self) -> &'static [&'static str] {
        const BOTH: [&str; 2] = ["10.244.0.0/16", "fd00:10:244::/56"];
        match self {
            Self::V4 => &BOTH[..1],
            Self::V6 => &BOTH[1..],
            Self::Dual => &BOTH,
        }
    }

    /// Whether IPv4 is included.
    pub fn v4(self) -> bool {
        self != Self::V6
    }

    /// Whether IPv6 is included.
    pub fn v6(self) -> bool {
        self != Self::V4
    }

    /// Whether the family of `address` is included.
    pub fn has(self, address: IpAddr) -> bool {
        if address.is_ipv4() {
            self.v4()
        } else {
            self.v6()
        }
    }
}

impl fmt::Display for Families {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "4",
            Self::V6 => "6",
            Self::Dual => "dual",
        })
    }
}

impl FromStr for Families {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::V4, Self::V6, Self::Dual]
            .into_iter()
            .find(|families| families.to_string() == text)
            .ok_or_else(|| Error::new(format!("address families are 4, 6 or dual, not {text:?}")))
    }
}
