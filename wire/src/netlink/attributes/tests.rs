use super::*;

#[test]
fn text_of_any_encoding_is_read_and_name_is_printable() {
    for (value, expected_text, expected_name) in [
        (&b"eth0\0"[..], "eth0", "eth0"),
        (b"eth0", "eth0", "eth0"),
        (b"", "", ""),
        (b"a\xffb\0", "a\u{fffd}b", "a\u{fffd}b"),
        ("\u{e4}\0".as_bytes(), "\u{e4}", "\u{e4}"),
        (b"\x1b[2J\0", "\x1b[2J", "\\u{1b}[2J"),
        (b"a b", "a b", "a b"),
    ] {
        assert_eq!(text(value), expected_text);
        assert_eq!(name(value), expected_name);
    }
}
