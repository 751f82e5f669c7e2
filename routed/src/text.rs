//! Lists in messages.

use std::fmt;

pub(crate) use wire::text::list;

/// The number of items that a short list names.
const MAX_LISTED: usize = 8;

/// `a, b and 3 more`: at most [`MAX_LISTED`] items.
pub(crate) fn short_list<T: fmt::Display>(items: &[T]) -> String {
    let named = list(&items[..items.len().min(MAX_LISTED)]);
    match items.len().saturating_sub(MAX_LISTED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
