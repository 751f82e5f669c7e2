//! nftables sets of addresses and address ranges.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::types::TableFamily;
use crate::address_number::{self, number};

/// A version of the Internet Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl IpVersion {
    /// The version of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() {
            Self::V4
        } else {
            Self::V6
        }
    }

    /// The family of the tables for packets of this version alone.
    pub fn family(self) -> TableFamily {
        match self {
            Self::V4 => TableFamily::Ip,
            Self::V6 => TableFamily::Ip6,
        }
    }

    /// The number of nft's data type for these addresses (`TYPE_IPADDR`, `TYPE_IP6ADDR` of its
    /// `datatype.h`); the kernel only stores it.
    pub(super) fn type_number(self) -> u32 {
        match self {
            Self::V4 => 7,
            Self::V6 => 8,
        }
    }

    /// Length of an address in bytes.
    pub(super) fn length(self) -> u32 {
        match self {
            Self::V4 => 4,
            Self::V6 => 16,
        }
    }

    fn last(self) -> u128 {
        match self {
            Self::V4 => u32::MAX.into(),
            Self::V6 => u128::MAX,
        }
    }

    fn address(self, number: u128) -> IpAddr {
        address_number::address(self == Self::V4, number)
    }
}

/// A named set of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NftSet {
    /// Its name.
    pub name: String,
    /// The version of its addresses.
    pub version: IpVersion,
    /// Its members.
    pub members: Members,
}

/// The members of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// Single addresses, in a hash table.
    Addresses(BTreeSet<IpAddr>),
    /// Ranges, in a sorted structure of their borders.
    Ranges(Vec<Range>),
}

/// Consecutive addresses, first and last included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    first: u128,
    last: u128,
}

/// An element in the kernel: a single address, the start of a range, or the address after the end
/// of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Element {
    /// The address.
    pub address: IpAddr,
    /// Whether it ends a range.
    pub is_end: bool,
}

impl NftSet {
    /// A set of single addresses. Those of the other version are left out.
    pub fn of_addresses(
        name: &str,
        version: IpVersion,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        let fitting = addresses.into_iter();
        let fitting = fitting.filter(|address| IpVersion::of(*address) == version);
        Self {
            name: name.to_owned(),
            version,
            members: Members::Addresses(fitting.collect()),
        }
    }

    /// A set of prefixes, which may overlap. Those of the other version are left out.
    pub fn of_prefixes<'a>(
        name: &str,
        version: IpVersion,
        prefixes: impl IntoIterator<Item = &'a IpNet>,
    ) -> Self {
        let fitting = prefixes.into_iter();
        let fitting = fitting.filter(|prefix| IpVersion::of(prefix.network()) == version);
        let mut each: Vec<Range> = fitting.map(Range::of).collect();
        each.sort_by_key(|range| range.first);
        let mut merged: Vec<Range> = Vec::new();
        for range in each {
            match merged.last_mut() {
                // The kernel refuses overlapping ranges.
                Some(before) if range.first <= before.last.saturating_add(1) => {
                    before.last = before.last.max(range.last);
                }
                _ => merged.push(range),
            }
        }
        Self {
            name: name.to_owned(),
            version,
            members: Members::Ranges(merged),
        }
    }

    /// Whether its members are ranges.
    pub(super) fn has_ranges(&self) -> bool {
        matches!(self.members, Members::Ranges(_))
    }

    /// Its elements in the kernel.
    pub fn elements(&self) -> BTreeSet<Element> {
        let element = |address, is_end| Element { address, is_end };
        match &self.members {
            Members::Addresses(addresses) => addresses
                .iter()
                .map(|address| element(*address, false))
                .collect(),
            Members::Ranges(ranges) => ranges
                .iter()
                .flat_map(|range| {
                    // A range up to the last address of the family has no end element.
                    let after = (range.last < self.version.last())
                        .then(|| element(self.version.address(range.last + 1), true));
                    [element(self.version.address(range.first), false)]
                        .into_iter()
                        .chain(after)
                })
                .collect(),
        }
    }

    fn words(&self) -> Vec<String> {
        match &self.members {
            Members::Addresses(addresses) => addresses.iter().map(ToString::to_string).collect(),
            Members::Ranges(ranges) => ranges
                .iter()
                .map(|range| range.words(self.version))
                .collect(),
        }
    }
}

impl Range {
    fn of(prefix: &IpNet) -> Self {
        Self {
            first: number(prefix.network()),
            last: number(prefix.broadcast()),
        }
    }

    /// As nft prints it: as a prefix if it is one.
    fn words(self, version: IpVersion) -> String {
        let [first, last] = [self.first, self.last].map(|number| version.address(number));
        if first == last {
            return first.to_string();
        }
        let width = version.length() * 8;
        // The host bits: all ones in `last`, all zeros in `first`.
        let host = self.first ^ self.last;
        let is_prefix = host & host.wrapping_add(1) == 0 && self.first & host == 0;
        if is_prefix {
            format!("{first}/{}", width - host.count_ones())
        } else {
            format!("{first}-{last}")
        }
    }
}

/// Prints as in the listing of a table.
impl fmt::Display for NftSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.version {
            IpVersion::V4 => "ipv4_addr",
            IpVersion::V6 => "ipv6_addr",
        };
        write!(f, "\tset {} {{\n\t\ttype {kind}\n", self.name)?;
        if self.has_ranges() {
            f.write_str("\t\tflags interval\n")?;
        }
        let words = self.words();
        if !words.is_empty() {
            writeln!(f, "\t\telements = {{ {} }}", words.join(", "))?;
        }
        f.write_str("\t}\n")
    }
}

#[cfg(test)]
mod tests;
