//! Tables that fit a terminal, and that programs get whole.

use crate::cli::terminal::{Terminal, Tone};

/// A column is not made narrower than this, in characters.
const NARROWEST: usize = 8;

/// What stands for the rest of a text that is cut.
const REST: &str = "...";

/// Between columns.
const GAP: usize = 2;

/// Which way a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Text.
    Left,
    /// Numbers, which are never cut.
    Right,
}

/// What is in one place of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A text with a meaning.
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

/// The rows below their headers, each column as wide as it has to be; on a terminal that is too
/// narrow for that, the widest ones are cut.
pub(super) fn render(columns: &[(&str, Align)], rows: &[Vec<Cell>], screen: Terminal) -> String {
    let widths = widths(columns, rows, screen.width);
    let line = |cells: &mut dyn Iterator<Item = (&str, Tone)>| {
        let mut line = String::new();
        for ((text, tone), ((_, align), width)) in cells.zip(columns.iter().zip(&widths)) {
            let text = cut(text, *width);
            let space = " ".repeat(width - text.chars().count());
            let text = screen.paint(&text, tone);
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

/// A table, and below it what has to be said at length.
pub(super) fn with_reasons<'a>(table: String, reasons: impl Iterator<Item = &'a str>) -> String {
    let mut lines = vec![table, String::new()];
    lines.extend(reasons.map(ToOwned::to_owned));
    lines.join("\n").trim_end().to_owned()
}

fn widths(columns: &[(&str, Align)], rows: &[Vec<Cell>], room: Option<usize>) -> Vec<usize> {
    let needed = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        let texts = cells.map(|cell| cell.text.as_str());
        let counts = texts
            .chain([columns[at].0])
            .map(|text| text.chars().count());
        counts.max().unwrap_or_default()
    };
    let mut widths: Vec<_> = (0..columns.len()).map(needed).collect();
    let room = room.unwrap_or(usize::MAX);
    let gaps = columns.len().saturating_sub(1) * GAP;
    while widths.iter().sum::<usize>() + gaps > room {
        let texts = widths.iter_mut().zip(columns);
        let texts = texts.filter(|(width, (header, align))| {
            *align == Align::Left && **width > NARROWEST.max(header.chars().count())
        });
        let Some((widest, _)) = texts.max_by_key(|(width, _)| **width) else {
            break;
        };
        *widest -= 1;
    }
    widths
}

/// `text`, or the start of it where it is too wide.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let start = text.chars().take(width.saturating_sub(REST.len()));
    start.chain(REST.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [(&str, Align); 3] = [
        ("SUBNET", Align::Left),
        ("USED", Align::Right),
        ("NODE", Align::Left),
    ];

    fn row(cells: [&str; 3]) -> Vec<Cell> {
        cells.map(Cell::from).to_vec()
    }

    #[test]
    fn columns_are_as_wide_as_they_have_to_be_and_numbers_end_below_each_other() {
        let rows = [
            row(["10.244.7.0/24", "3", "n1"]),
            row(["fd00::/80", "12345", ""]),
        ];
        assert_eq!(
            render(&COLUMNS, &rows, Terminal::PIPE),
            "SUBNET          USED  NODE\n\
             10.244.7.0/24      3  n1\n\
             fd00::/80      12345"
        );
        assert_eq!(render(&COLUMNS, &[], Terminal::PIPE), "SUBNET  USED  NODE");
    }

    #[test]
    fn a_narrow_terminal_cuts_the_widest_and_a_pipe_gets_all() {
        let long = format!("{}.example.com", "n".repeat(60));
        let rows = [row(["10.244.7.0/24", "3", &long])];
        let narrow = Terminal {
            width: Some(40),
            colours: false,
        };
        let text = render(&COLUMNS, &rows, narrow);
        assert!(
            text.lines().all(|line| line.chars().count() <= 40),
            "{text}"
        );
        assert!(
            text.contains("10.244.7.0/24") && text.ends_with("nnn..."),
            "{text}"
        );
        assert!(render(&COLUMNS, &rows, Terminal::PIPE).ends_with(&long));
        let hopeless = Terminal {
            width: Some(5),
            ..narrow
        };
        assert!(render(&COLUMNS, &rows, hopeless).contains("10.24..."));
    }

    #[test]
    fn colours_take_no_room() {
        let cell = Cell::new("ok", Tone::Good);
        let rows = [vec![cell, "7".into(), "n1".into()]];
        let colourful = Terminal {
            width: None,
            colours: true,
        };
        let text = render(&COLUMNS, &rows, colourful);
        assert!(
            text.contains("\u{1b}[32mok\u{1b}[0m         7  n1"),
            "{text:?}"
        );
    }
}
