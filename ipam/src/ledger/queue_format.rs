//! The text of a queue file: which addresses of a subnet were freed, in order.
//!
//! Lines of 64 bytes, so that any of them is found without reading the others, and a person can
//! read all of them:
//!
//! ```text
//! next 10.244.1.9                              head             1
//! 10.244.1.3                                        1723.004213377
//! 10.244.1.2                                        1790.116012009
//! ```
//!
//! `next` is the first address that no pod ever had (`-` when there is none), `head` the number of
//! freed addresses at the front that are in use again. Times are seconds since boot.

use std::net::IpAddr;
use std::time::Duration;

use crate::ledger::allocator::Freed;

/// Bytes in a line, the newline included.
pub(crate) const LINE: usize = 64;

/// One line as it is on disk.
pub(crate) type QueueLine = [u8; LINE];

/// The first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The first address that no pod ever had.
    pub(crate) next: Option<IpAddr>,
    /// How many of the freed addresses have been taken.
    pub(crate) head: u64,
}

impl Header {
    /// The line.
    pub(crate) fn render(&self) -> String {
        let next = self
            .next
            .map_or_else(|| "-".to_owned(), |address| address.to_string());
        format!("next {next:<39} head {:>13}\n", self.head)
    }

    /// Reads the line; `None` if it is not one.
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
    /// The line.
    pub(crate) fn render(&self) -> String {
        let (address, at) = (self.address, self.at);
        format!(
            "{address:<39} {:>13}.{:09}\n",
            at.as_secs(),
            at.subsec_nanos()
        )
    }

    /// Reads the line; `None` if it is not one.
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

/// Where the line of the freed address number `index` begins.
pub(crate) fn offset(index: u64) -> u64 {
    (index + 1) * LINE as u64
}

/// How many freed addresses a file of `length` bytes holds; `None` if a line is torn.
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
mod tests {
    use super::*;

    fn line(text: &str) -> QueueLine {
        text.as_bytes().try_into().unwrap()
    }

    #[test]
    fn lines_have_one_length_and_read_back_as_written() {
        for address in [
            "0.0.0.2",
            "255.255.255.254",
            "fd00:aaaa:bbbb:cccc:dddd:eeee:ffff:1111",
        ] {
            let address: IpAddr = address.parse().unwrap();
            for at in [
                Duration::ZERO,
                Duration::new(9_999_999_999_999, 999_999_999),
            ] {
                let freed = Freed { address, at };
                assert_eq!(Freed::parse(&line(&freed.render())), Some(freed));
            }
            for header in [
                Header {
                    next: Some(address),
                    head: 0,
                },
                Header {
                    next: None,
                    head: 9_999_999_999_999,
                },
            ] {
                assert_eq!(Header::parse(&line(&header.render())), Some(header));
            }
        }
    }

    #[test]
    fn what_is_not_a_line_is_not_read_as_one() {
        let address: IpAddr = "10.244.1.2".parse().unwrap();
        let freed = Freed {
            address,
            at: Duration::from_secs(5),
        }
        .render();
        let header = Header {
            next: Some(address),
            head: 3,
        }
        .render();
        assert_eq!(Header::parse(&line(&freed)), None);
        assert_eq!(Freed::parse(&line(&header)), None);
        for damaged in [
            freed.replace('\n', " "),
            freed.replace("10.244.1.2", "10.244.1.x"),
            freed.replace(".000000000", ".00000000x"),
            freed.replace("5.000000000", "  000000000"),
            "\0".repeat(LINE),
            " ".repeat(LINE),
        ] {
            assert_eq!(Freed::parse(&line(&damaged)), None, "{damaged:?}");
            assert_eq!(Header::parse(&line(&damaged)), None, "{damaged:?}");
        }
        assert_eq!(Header::parse(&line(&header.replace("head", "tail"))), None);
    }

    #[test]
    fn a_torn_file_has_no_number_of_records() {
        let line = LINE as u64;
        for (length, expected) in [
            (0, None),
            (line - 1, None),
            (line, Some(0)),
            (3 * line, Some(2)),
            (3 * line + 1, None),
        ] {
            assert_eq!(records(length), expected, "{length}");
        }
    }
}
