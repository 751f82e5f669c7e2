//! The format of a queue file: the freed addresses of a subnet, in order.
//!
//! Lines have 64 bytes, so that any line is read without the others, and the file is readable text:
//!
//! ```text
//! next 10.244.1.9                              head             1
//! 10.244.1.3                                        1723.004213377
//! 10.244.1.2                                        1790.116012009
//! ```
//!
//! `next` is the first address that no pod ever had (`-` if there is none). `head` is the number of
//! entries at the front whose addresses are in use again. Times are seconds since boot.

use std::net::IpAddr;
use std::time::Duration;

use crate::ledger::allocator::Freed;

/// Bytes per line, including the newline.
pub(crate) const LINE: usize = 64;

/// One line as it is on disk.
pub(crate) type QueueLine = [u8; LINE];

/// The first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The first address that no pod ever had.
    pub(crate) next: Option<IpAddr>,
    /// The number of used entries at the front.
    pub(crate) head: u64,
}

impl Header {
    /// Renders the line.
    pub(crate) fn render(&self) -> String {
        let next = self
            .next
            .map_or_else(|| "-".to_owned(), |address| address.to_string());
        format!("next {next:<39} head {:>13}\n", self.head)
    }

    /// Parses the line; `None` if it is malformed.
    pub(crate) fn parse(line: &QueueLine) -> Option<Self> {
        let [key, next, head_key, head] = words(line)?;
        if (key, head_key) != ("next", "head") {
            return None;
        }
        let next = if next == "-" {
            None
        } else {
            Some(next.parse().ok()?)
        };
        Some(Self {
            next,
            head: head.parse().ok()?,
        })
    }
}

impl Freed {
    /// Renders the line.
    pub(crate) fn render(&self) -> String {
        let (address, at) = (self.address, self.at);
        format!(
            "{address:<39} {:>13}.{:09}\n",
            at.as_secs(),
            at.subsec_nanos()
        )
    }

    /// Parses the line; `None` if it is malformed.
    pub(crate) fn parse(line: &QueueLine) -> Option<Self> {
        let [address, at] = words(line)?;
        let (seconds, nanoseconds) = at.split_once('.')?;
        if nanoseconds.len() != 9 {
            return None;
        }
        let at = Duration::new(seconds.parse().ok()?, nanoseconds.parse().ok()?);
        Some(Self {
            address: address.parse().ok()?,
            at,
        })
    }
}

/// The offset of entry number `index`.
pub(crate) fn offset(index: u64) -> u64 {
    (index + 1) * LINE as u64
}

/// The number of entries in a file of `length` bytes; `None` if a line is incomplete.
pub(crate) fn records(length: u64) -> Option<u64> {
    let lines = length / LINE as u64;
    (length.is_multiple_of(LINE as u64)).then(|| lines.checked_sub(1))?
}

fn words<const N: usize>(line: &QueueLine) -> Option<[&str; N]> {
    let line = str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    words.try_into().ok()
}

#[cfg(test)]
mod tests;
