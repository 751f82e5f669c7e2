use super::*;

#[test]
fn comment_is_found_among_other_user_data() {
    for (data, expected) in [
        (&b"\x00\x05flat\x00"[..], Some("flat")),
        (b"\x01\x02ab\x00\x05flat\x00", Some("flat")),
        (b"\x01\x02ab", None),
        (b"\x00\x09flat\x00", None),
        (b"\x00", None),
        (b"", None),
    ] {
        assert_eq!(comment(data).as_deref(), expected, "{data:?}");
    }
}
