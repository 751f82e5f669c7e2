//! Lists in words.

use std::fmt;

/// As many subnets are named in a line.
const MOST_NAMED: usize = 8;

/// The first of them, and how many more there are.
pub(crate) fn few<T: fmt::Display>(items: &[T]) -> String {
    let named = list(&items[..items.len().min(MOST_NAMED)]);
    match items.len().saturating_sub(MOST_NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// `a, b, c`.
pub(crate) fn list<T: fmt::Display>(items: &[T]) -> String {
    let each: Vec<_> = items.iter().map(ToString::to_string).collect();
    each.join(", ")
}
