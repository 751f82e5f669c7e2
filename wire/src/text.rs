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

/// A text that others chose, as it may appear on a terminal and in a line of a log: what is not seen, or
/// changes how the rest is seen, is escaped (`\u{1b}`, `\n`): control characters, and those that reorder
/// or join letters (Unicode Standard, "Bidirectional Algorithm").
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() || is_invisible(letter) {
            printable.extend(letter.escape_default());
        } else {
            printable.push(letter);
        }
    }
    printable
}

fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests;
