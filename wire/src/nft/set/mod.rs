//! nftables sets of addresses, ranges of them or of ports, endpoints and pairs of links, and verdict
//! maps of links.

mod range;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;

pub use self::range::Range;
use super::element::Element;
use super::ip_version::IpVersion;
use super::key::{ElementKey, KeyType};
use super::numbers::set;
use super::user_data;
use super::verdict::NftVerdict;
use crate::ip_protocol::IpProtocol;

/// A named set of a table, or a verdict map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NftSet {
    /// Its name.
    pub name: String,
    /// The version of its addresses; it means nothing for ports and links.
    pub version: IpVersion,
    /// Its members.
    pub members: Members,
    /// Its comment in listings; what is longer than 127 bytes is cut.
    pub comment: Option<String>,
}

/// The members of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// Single addresses, in a hash table.
    Addresses(BTreeSet<IpAddr>),
    /// Ranges of addresses, in a sorted structure of their borders.
    Ranges(Vec<Range>),
    /// Ranges of ports that neither overlap nor touch, likewise.
    PortRanges(Vec<RangeInclusive<u16>>),
    /// Pairs of the link that a packet came from and the one that it leaves through, in a hash table.
    LinkPairs(BTreeSet<(String, String)>),
    /// Addresses with a protocol and a port, in a hash table.
    Endpoints(BTreeSet<(IpAddr, IpProtocol, u16)>),
    /// Links with the verdict for each: a verdict map, which rules do not use as a set.
    LinkVerdicts(BTreeMap<String, NftVerdict>),
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
        Self::new(name, version, Members::Addresses(fitting.collect()))
    }

    /// A set of ranges of ports, which must neither overlap nor touch.
    pub fn of_port_ranges(
        name: &str,
        ranges: impl IntoIterator<Item = RangeInclusive<u16>>,
    ) -> Self {
        let ranges = Members::PortRanges(ranges.into_iter().collect());
        Self::new(name, IpVersion::V4, ranges)
    }

    /// A set of pairs of links.
    pub fn of_link_pairs(name: &str, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let pairs = Members::LinkPairs(pairs.into_iter().collect());
        Self::new(name, IpVersion::V4, pairs)
    }

    /// A set of addresses with a protocol and a port. Those of the other version are left out.
    pub fn of_endpoints(
        name: &str,
        version: IpVersion,
        endpoints: impl IntoIterator<Item = (IpAddr, IpProtocol, u16)>,
    ) -> Self {
        let fitting = endpoints.into_iter();
        let fitting = fitting.filter(|(address, ..)| IpVersion::of(*address) == version);
        Self::new(name, version, Members::Endpoints(fitting.collect()))
    }

    /// A verdict map of links.
    pub fn of_link_verdicts(
        name: &str,
        verdicts: impl IntoIterator<Item = (String, NftVerdict)>,
    ) -> Self {
        let verdicts = Members::LinkVerdicts(verdicts.into_iter().collect());
        Self::new(name, IpVersion::V4, verdicts)
    }

    fn new(name: &str, version: IpVersion, members: Members) -> Self {
        Self {
            name: name.to_owned(),
            version,
            members,
            comment: None,
        }
    }

    /// With a comment; what is longer than 127 bytes is cut.
    #[must_use]
    pub fn comment(self, text: &str) -> Self {
        Self {
            comment: Some(text.to_owned()),
            ..self
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
        Self::new(name, version, Members::Ranges(merged))
    }

    /// Whether its members are ranges.
    fn has_ranges(&self) -> bool {
        matches!(self.members, Members::Ranges(_) | Members::PortRanges(_))
    }

    /// Whether it is a verdict map.
    pub(super) fn has_verdicts(&self) -> bool {
        matches!(self.members, Members::LinkVerdicts(_))
    }

    /// Its flags in the kernel (`NFT_SET_*`).
    pub(super) fn flags(&self) -> u32 {
        match self.members {
            Members::Ranges(_) | Members::PortRanges(_) => set::INTERVAL,
            Members::LinkVerdicts(_) => set::MAP,
            Members::Addresses(_) | Members::Endpoints(_) | Members::LinkPairs(_) => 0,
        }
    }

    pub(super) fn key_type(&self) -> KeyType {
        match self.members {
            Members::Addresses(_) | Members::Ranges(_) => KeyType::Address(self.version),
            Members::PortRanges(_) => KeyType::Port,
            Members::Endpoints(_) => KeyType::Endpoint(self.version),
            Members::LinkPairs(_) => KeyType::LinkPair,
            Members::LinkVerdicts(_) => KeyType::Link,
        }
    }

    /// Its comment as far as the kernel stores it.
    pub(super) fn fitting_comment(&self) -> Option<&str> {
        self.comment.as_deref().map(user_data::fitting)
    }

    /// Its elements in the kernel.
    pub fn elements(&self) -> BTreeSet<Element> {
        match &self.members {
            Members::Addresses(addresses) => addresses.iter().copied().map(Element::new).collect(),
            Members::Ranges(ranges) => ranges
                .iter()
                .flat_map(|range| {
                    // A range up to the last address of the family has no end element.
                    let after = (range.last < self.version.last())
                        .then(|| Element::end(self.version.address(range.last + 1)));
                    let first = Element::new(self.version.address(range.first));
                    [first].into_iter().chain(after)
                })
                .collect(),
            Members::PortRanges(ranges) => ranges
                .iter()
                .flat_map(|range| {
                    // Nor has a range up to the last port.
                    let after = range.end().checked_add(1).map(ElementKey::Port);
                    let first = Element::new(ElementKey::Port(*range.start()));
                    [first].into_iter().chain(after.map(Element::end))
                })
                .collect(),
            Members::LinkPairs(pairs) => {
                let key = |(incoming, outgoing): &(String, String)| {
                    ElementKey::link_pair(incoming, outgoing)
                };
                pairs.iter().map(key).map(Element::new).collect()
            }
            Members::Endpoints(endpoints) => {
                let key = |(address, protocol, port): &(IpAddr, IpProtocol, u16)| {
                    ElementKey::Endpoint(*address, *protocol, *port)
                };
                endpoints.iter().map(key).map(Element::new).collect()
            }
            Members::LinkVerdicts(verdicts) => verdicts
                .iter()
                .map(|(link, verdict)| {
                    Element::with_verdict(ElementKey::link(link), verdict.clone())
                })
                .collect(),
        }
    }

    fn words(&self) -> Vec<String> {
        match &self.members {
            Members::Ranges(ranges) => ranges
                .iter()
                .map(|range| range.words(self.version))
                .collect(),
            Members::PortRanges(ranges) => ranges
                .iter()
                .map(|range| match (range.start(), range.end()) {
                    (first, last) if first == last => first.to_string(),
                    (first, last) => format!("{first}-{last}"),
                })
                .collect(),
            _ => self.elements().iter().map(ToString::to_string).collect(),
        }
    }
}

/// Prints as in the listing of a table.
impl fmt::Display for NftSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, data) = if self.has_verdicts() {
            ("map", " : verdict")
        } else {
            ("set", "")
        };
        let key_type = self.key_type();
        write!(f, "\t{kind} {} {{\n\t\ttype {key_type}{data}\n", self.name)?;
        if self.has_ranges() {
            f.write_str("\t\tflags interval\n")?;
        }
        if let Some(text) = self.fitting_comment() {
            writeln!(f, "\t\tcomment \"{text}\"")?;
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
