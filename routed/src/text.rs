//! Lists in words.

use std::fmt;

/// As many subnets are named in a line.
const MAX_LISTED: usize = 8;

/// The first of them, and how many more there are.
pub(crate) fn short_list<T: fmt::Display>(items: &[T]) -> String {
    let named = list(&items[..items.len().min(MAX_LISTED)]);
    match items.len().saturating_sub(MAX_LISTED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// `a, b, c`.
pub(crate) fn list<T: fmt::Display>(items: &[T]) -> String {
    let each: Vec<_> = items.iter().map(ToString::to_string).collect();
    each.join(", ")
}
