//! Lists in messages.

use std::fmt::Display;

/// `a, b, c`.
pub fn list(items: impl IntoIterator<Item: Display>) -> String {
    let each: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    each.join(", ")
}
