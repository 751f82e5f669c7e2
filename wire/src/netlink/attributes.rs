//! Reading a kernel message attribute by attribute.

use rtnetlink::packet_core::{DecodeError, NlaBuffer, NlasIterator};

/// What `parse` makes of each attribute after a header of `header_length` bytes.
///
/// A message carries dozens of attributes of which we need a handful. One that cannot be read (a
/// later kernel's, a stranger's driver's) is left out, so that it cannot fail a whole listing.
pub(super) fn readable<'a, A>(
    payload: &'a [u8],
    header_length: usize,
    parse: impl Fn(&NlaBuffer<&'a [u8]>) -> Result<A, DecodeError>,
) -> impl Iterator<Item = A> {
    NlasIterator::new(payload.get(header_length..).unwrap_or_default())
        .filter_map(move |attribute| parse(&attribute.ok()?).ok())
}
