//! What was measured, and how a person reads it.

use std::fmt::Write;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Microseconds, from the start of a process to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) min: u128,
    pub(crate) median: u128,
    pub(crate) p99: u128,
    pub(crate) max: u128,
}

/// One contender with so many addresses in use.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) contender: String,
    pub(crate) in_use: usize,
    pub(crate) add: Spread,
    pub(crate) del: Spread,
}

impl Spread {
    /// The spread of at least one figure.
    pub(crate) fn of(mut figures: Vec<Duration>) -> Self {
        figures.sort_unstable();
        let at = |share: usize| {
            let index = (figures.len() * share / 100).min(figures.len().saturating_sub(1));
            figures.get(index).map_or(0, Duration::as_micros)
        };
        Self {
            min: at(0),
            median: at(50),
            p99: at(99),
            max: at(100),
        }
    }
}

/// The rows as a table, each contender's medians also as a ratio to its own with the fewest
/// addresses in use.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "An address given out and taken back, microseconds from the start of the process to its end\n\n\
         | contender | in use | ADD min | median | p99 | max | ratio | DEL min | median | p99 | max | ratio |\n\
         | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n",
    );
    for row in rows {
        let first = rows
            .iter()
            .find(|other| other.contender == row.contender)
            .unwrap_or(row);
        let _ = write!(text, "| {} | {} ", row.contender, row.in_use);
        for (spread, base) in [(row.add, first.add), (row.del, first.del)] {
            let _ = write!(
                text,
                "| {} | {} | {} | {} | {} ",
                spread.min,
                spread.median,
                spread.p99,
                spread.max,
                ratio(spread.median, base.median)
            );
        }
        text.push_str("|\n");
    }
    text
}

/// `a / b` with two digits.
fn ratio(a: u128, b: u128) -> String {
    let hundredths = (a * 100 + b / 2) / b.max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_read_off_the_sorted_figures() {
        let figures = (1..=100).rev().map(Duration::from_micros).collect();

        let spread = Spread::of(figures);

        assert_eq!(
            (spread.min, spread.median, spread.p99, spread.max),
            (1, 51, 100, 100)
        );
    }

    #[test]
    fn ratios_are_to_the_contenders_own_first_row() {
        let spread = |median| Spread {
            min: 1,
            median,
            p99: 1,
            max: 1,
        };
        let row = |in_use, median| Row {
            contender: "x".to_owned(),
            in_use,
            add: spread(median),
            del: spread(median),
        };

        let table = table(&[row(0, 200), row(250, 301)]);

        assert!(
            table.lines().last().unwrap().contains("| 1.51 |"),
            "{table}"
        );
    }
}
