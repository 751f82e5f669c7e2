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
        assert_eq!(comment(0, data).as_deref(), expected, "{data:?}");
    }
}

#[test]
fn long_comment_is_cut_between_letters() {
    for (text, expected) in [
        ("np shop/web".to_owned(), "np shop/web".to_owned()),
        ("x".repeat(127), "x".repeat(127)),
        ("x".repeat(300), "x".repeat(127)),
        (format!("{}é", "x".repeat(126)), "x".repeat(126)),
        (String::new(), String::new()),
    ] {
        assert_eq!(fitting(&text), expected);
        assert_eq!(comment(7, &of_comment(7, &text)), Some(expected));
    }
}
