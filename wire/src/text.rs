//! Texts in messages and records.

use std::fmt::Display;

/// `a, b, c`.
pub fn list(items: impl IntoIterator<Item: Display>) -> String {
    let each: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    each.join(", ")
}

/// As much of the start of `text` as fits into this many bytes.
pub fn cut(text: &str, bytes: usize) -> &str {
    let ends = text.char_indices().map(|(at, char)| at + char.len_utf8());
    let end = ends.take_while(|end| *end <= bytes).last();
    &text[..end.unwrap_or(0)]
}
