//! Parsing the attributes of a netlink message.

use rtnetlink::packet_core::{DecodeError, NlaBuffer, NlasIterator};

/// Parses each attribute after a header of `header_length` bytes.
///
/// Attributes that cannot be parsed (of a newer kernel or an unknown driver) are skipped, so that
/// they do not fail a whole listing; only a few of dozens are needed.
pub(super) fn readable<'a, A>(
    payload: &'a [u8],
    header_length: usize,
    parse: impl Fn(&NlaBuffer<&'a [u8]>) -> Result<A, DecodeError>,
) -> impl Iterator<Item = A> {
    NlasIterator::new(payload.get(header_length..).unwrap_or_default())
        .filter_map(move |attribute| parse(&attribute.ok()?).ok())
}
