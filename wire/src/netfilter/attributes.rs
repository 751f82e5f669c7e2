//! Netlink attributes of netfilter, whose numbers are in network byte order.

use rtnetlink::packet_core::{NLA_F_NESTED, NlasIterator};

/// Length of `struct nlattr`.
const HEADER: usize = 4;

/// `NFTA_LIST_ELEM`: the kind of each item of a list.
pub(crate) const ITEM: u16 = 1;

/// Attributes to send, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attributes(Vec<u8>);

impl Attributes {
    /// Appends bytes.
    pub(crate) fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(HEADER + value.len())
            .expect("longer values are sent in several attributes");
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Appends an 8-bit number.
    pub(crate) fn byte(self, kind: u16, value: u8) -> Self {
        self.bytes(kind, &[value])
    }

    /// Appends a 16-bit number.
    pub(crate) fn short(self, kind: u16, value: u16) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Appends a 32-bit number.
    pub(crate) fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Appends a 64-bit number.
    pub(crate) fn long(self, kind: u16, value: u64) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// Appends a text.
    pub(crate) fn text(self, kind: u16, value: &str) -> Self {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// Appends nested attributes.
    pub(crate) fn nest(self, kind: u16, value: &Self) -> Self {
        self.bytes(kind | NLA_F_NESTED, &value.0)
    }

    /// The encoded attributes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Attributes that were received.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received<'a>(pub(crate) &'a [u8]);

impl<'a> Received<'a> {
    /// All attributes of that kind, in order. The list ends at the first that cannot be parsed.
    pub(crate) fn all(self, kind: u16) -> impl Iterator<Item = Received<'a>> {
        NlasIterator::new(self.0)
            .map_while(Result::ok)
            .filter(move |attribute| attribute.kind() == kind)
            .map(|attribute| {
                let end = usize::from(attribute.length());
                Self(&attribute.into_inner()[HEADER..end])
            })
    }

    /// The bytes of the first attribute of that kind.
    pub(crate) fn bytes(self, kind: u16) -> Option<&'a [u8]> {
        self.all(kind).next().map(|attribute| attribute.0)
    }

    /// An 8-bit number.
    pub(crate) fn byte(self, kind: u16) -> Option<u8> {
        Some(u8::from_be_bytes(self.bytes(kind)?.try_into().ok()?))
    }

    /// A 16-bit number.
    pub(crate) fn short(self, kind: u16) -> Option<u16> {
        Some(u16::from_be_bytes(self.bytes(kind)?.try_into().ok()?))
    }

    /// A 32-bit number.
    pub(crate) fn number(self, kind: u16) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(kind)?.try_into().ok()?))
    }

    /// A 64-bit number.
    pub(crate) fn long(self, kind: u16) -> Option<u64> {
        Some(u64::from_be_bytes(self.bytes(kind)?.try_into().ok()?))
    }

    /// A text.
    pub(crate) fn text(self, kind: u16) -> Option<&'a str> {
        let bytes = self.bytes(kind)?;
        std::str::from_utf8(bytes.strip_suffix(&[0]).unwrap_or(bytes)).ok()
    }

    /// Nested attributes; empty if the attribute is missing.
    pub(crate) fn nested(self, kind: u16) -> Self {
        Self(self.bytes(kind).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
