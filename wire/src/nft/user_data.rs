//! User data of rules and sets, which the kernel only stores: comments, as nft and iptables-nft
//! write them. It consists of records of type (one byte), length (one byte) and value.

/// In bytes, without the zero at the end (`NFTNL_UDATA_COMMENT_MAXLEN`). nft refuses longer ones.
const MAX_COMMENT: usize = 127;

/// The comment as far as it fits.
pub(super) fn fitting(comment: &str) -> &str {
    let mut ends = (0..=MAX_COMMENT).rev();
    let end = ends.find(|end| comment.is_char_boundary(*end));
    &comment[..end.unwrap_or_default()]
}

/// The record of a comment: zero-terminated text.
pub(super) fn of_comment(kind: u8, comment: &str) -> Vec<u8> {
    let text = fitting(comment).as_bytes();
    let length = u8::try_from(text.len() + 1).unwrap_or(u8::MAX);
    [&[kind, length], text, &[0]].concat()
}

/// nft's `BYTEORDER_HOST_ENDIAN`.
const HOST_ORDER: u32 = 1;

/// The record that says that the keys of a set are in the byte order of the host: nft prints names
/// only with it.
pub(super) fn of_host_order(kind: u8) -> Vec<u8> {
    let value = HOST_ORDER.to_ne_bytes();
    let length = u8::try_from(value.len()).unwrap_or(u8::MAX);
    [&[kind, length][..], &value].concat()
}

/// The comment in user data, whose type depends on what it is the comment of.
pub(super) fn comment(kind: u8, mut data: &[u8]) -> Option<String> {
    loop {
        let [found, length, rest @ ..] = data else {
            return None;
        };
        let (value, rest) = rest.split_at_checked(usize::from(*length))?;
        if *found == kind {
            let text = value.strip_suffix(&[0]).unwrap_or(value);
            return String::from_utf8(text.to_vec()).ok();
        }
        data = rest;
    }
}

#[cfg(test)]
mod tests;
