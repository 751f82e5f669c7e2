use super::*;

#[test]
fn text_of_others_is_printable() {
    for (text, expected) in [
        ("", ""),
        ("allow web", "allow web"),
        (
            "n\u{e4}he \u{1f600} \\ \"x\"",
            "n\u{e4}he \u{1f600} \\ \"x\"",
        ),
        ("\u{1b}[2J\u{1b}]0;x\u{7}", "\\u{1b}[2J\\u{1b}]0;x\\u{7}"),
        ("a\ndenied\r\tb", "a\\ndenied\\r\\tb"),
        ("\u{7f}\u{9b}31m", "\\u{7f}\\u{9b}31m"),
        (
            "a\u{202e}b\u{2066}c\u{feff}",
            "a\\u{202e}b\\u{2066}c\\u{feff}",
        ),
        ("a\u{2028}b\u{200b}", "a\\u{2028}b\\u{200b}"),
    ] {
        assert_eq!(printable(text), expected);
    }
}
