//! Netlink attributes of nftables, whose numbers are in network byte order.

use rtnetlink::packet_core::{NLA_F_NESTED, NlasIterator};

/// Length of `struct nlattr`.
const HEADER: usize = 4;

/// `NFTA_LIST_ELEM`: the kind of each item of a list.
pub(super) const ITEM: u16 = 1;

/// Attributes to send, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attributes(Vec<u8>);

impl Attributes {
    /// Appends bytes.
    pub(super) fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(HEADER + value.len())
            .expect("longer values are sent in several attributes");
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Appends a 32-bit number.
    pub(super) fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Appends a 64-bit number.
    pub(super) fn long(self, kind: u16, value: u64) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Appends a text.
    pub(super) fn text(self, kind: u16, value: &str) -> Self {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// Appends nested attributes.
    pub(super) fn nest(self, kind: u16, value: &Self) -> Self {
        self.bytes(kind | NLA_F_NESTED, &value.0)
    }

    /// The encoded attributes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Attributes that were received.
#[derive(Debug, Clone, Copy)]
pub(super) struct Received<'a>(pub(super) &'a [u8]);

impl<'a> Received<'a> {
    /// All attributes of that kind, in order. The list ends at the first that cannot be parsed.
    pub(super) fn all(self, kind: u16) -> impl Iterator<Item = Received<'a>> {
        NlasIterator::new(self.0)
            .map_while(Result::ok)
            .filter(move |attribute| attribute.kind() == kind)
            .map(|attribute| {
                let end = usize::from(attribute.length());
                Self(&attribute.into_inner()[HEADER..end])
            })
    }

    /// The bytes of the first attribute of that kind.
    pub(super) fn bytes(self, kind: u16) -> Option<&'a [u8]> {
        self.all(kind).next().map(|attribute| attribute.0)
    }

    /// A 32-bit number.
    pub(super) fn number(self, kind: u16) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(kind)?.try_into().ok()?))
    }

    /// A 64-bit number.
    pub(super) fn long(self, kind: u16) -> Option<u64> {
        Some(u64::from_be_bytes(self.bytes(kind)?.try_into().ok()?))
    }

    /// A text.
    pub(super) fn text(self, kind: u16) -> Option<&'a str> {
        let bytes = self.bytes(kind)?;
        std::str::from_utf8(bytes.strip_suffix(&[0]).unwrap_or(bytes)).ok()
    }

    /// Nested attributes; empty if the attribute is missing.
    pub(super) fn nested(self, kind: u16) -> Self {
        Self(self.bytes(kind).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
