//! Tables as text: cut to the width of a terminal, and complete in a pipe.

use crate::cli::terminal::{Terminal, Tone};

/// No column is cut below this width, in characters.
const MIN_WIDTH: usize = 8;

/// Marks a text that was cut.
const ELLIPSIS: &str = "...";

/// Spaces between columns.
const GAP: usize = 2;

/// How a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Text.
    Left,
    /// Numbers, which are never cut.
    Right,
}

/// A column of texts.
pub(super) const fn left(header: &str) -> (&str, Align) {
    (header, Align::Left)
}

/// A column of numbers.
pub(super) const fn right(header: &str) -> (&str, Align) {
    (header, Align::Right)
}

/// A cell of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A text with a tone.
    pub(super) fn new(text: impl Into<String>, tone: Tone) -> Self {
        let text = text.into();
        Self { text, tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// The rows below their headers, each column as wide as its longest text. If the terminal is too
/// narrow, the widest columns are cut.
pub(super) fn render(columns: &[(&str, Align)], rows: &[Vec<Cell>], terminal: Terminal) -> String {
    let widths = widths(columns, rows, terminal.width);
    let line = |cells: &mut dyn Iterator<Item = (&str, Tone)>| {
        let mut line = String::new();
        for ((text, tone), ((_, align), width)) in cells.zip(columns.iter().zip(&widths)) {
            let text = truncate(text, *width);
            let space = " ".repeat(width - text.chars().count());
            let text = terminal.paint(&text, tone);
            let (left, right) = match align {
                Align::Left => (text, space),
                Align::Right => (space, text),
            };
            line.extend([left, right, " ".repeat(GAP)]);
        }
        line.trim_end().to_owned()
    };
    let headers = columns.iter().map(|(header, _)| (*header, Tone::Plain));
    let mut lines = vec![line(&mut headers.into_iter())];
    for row in rows {
        let cells = row.iter().map(|cell| (cell.text.as_str(), cell.tone));
        lines.push(line(&mut cells.into_iter()));
    }
    lines.join("\n")
}

/// A table, and below it the reasons, a line each.
pub(super) fn with_reasons<'a>(table: String, reasons: impl Iterator<Item = &'a str>) -> String {
    let mut lines = vec![table, String::new()];
    lines.extend(reasons.map(ToOwned::to_owned));
    lines.join("\n").trim_end().to_owned()
}

fn widths(columns: &[(&str, Align)], rows: &[Vec<Cell>], width: Option<usize>) -> Vec<usize> {
    let longest = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        let texts = cells.map(|cell| cell.text.as_str());
        let counts = texts
            .chain([columns[at].0])
            .map(|text| text.chars().count());
        counts.max().unwrap_or_default()
    };
    let mut widths: Vec<_> = (0..columns.len()).map(longest).collect();
    let max = width.unwrap_or(usize::MAX);
    let gaps = columns.len().saturating_sub(1) * GAP;
    while widths.iter().sum::<usize>() + gaps > max {
        let texts = widths.iter_mut().zip(columns);
        let texts = texts.filter(|(width, (header, align))| {
            *align == Align::Left && **width > MIN_WIDTH.max(header.chars().count())
        });
        let Some((widest, _)) = texts.max_by_key(|(width, _)| **width) else {
            break;
        };
        *widest -= 1;
    }
    widths
}

/// `text`, or its start if it is wider than `width`.
fn truncate(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let start = text.chars().take(width.saturating_sub(ELLIPSIS.len()));
    start.chain(ELLIPSIS.chars()).collect()
}

#[cfg(test)]
mod tests;
