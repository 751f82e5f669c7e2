//! Text in columns, coloured on a terminal.

use std::env;
use std::io::{self, IsTerminal as _};

/// How wide the demo may become, in columns.
pub(super) const WIDTH: usize = 100;

/// What stands before each line of a table.
const INDENT: &str = "  ";

/// What a text means to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Heading,
    Name,
    Aside,
    Good,
    Bad,
}

/// Whether styles show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Colours,
    Nothing,
}

impl Paint {
    /// Colours on a terminal that has them, unless the user wants none (<https://no-color.org>).
    pub(super) fn for_stdout() -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
        let shown = io::stdout().is_terminal() && !unwanted && !dumb;
        if shown { Self::Colours } else { Self::Nothing }
    }

    /// `text` in its style.
    pub(super) fn apply(self, style: Style, text: &str) -> String {
        let code = match style {
            _ if self == Self::Nothing || text.is_empty() => return text.to_owned(),
            Style::Plain => return text.to_owned(),
            Style::Heading => "1",
            Style::Name => "1;36",
            Style::Aside => "2",
            Style::Good => "32",
            Style::Bad => "1;31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// A text in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StyledText {
    text: String,
    style: Style,
    right: bool,
}

impl StyledText {
    /// Aligned to the left.
    pub(super) fn new(style: Style, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            style,
            right: false,
        }
    }

    /// Aligned to the right, as numbers are.
    pub(super) fn right(style: Style, text: impl Into<String>) -> Self {
        Self {
            right: true,
            ..Self::new(style, text)
        }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }

    fn render(&self, width: usize, paint: Paint) -> String {
        let space = " ".repeat(width.saturating_sub(self.width()));
        let text = paint.apply(self.style, &self.text);
        if self.right {
            space + &text
        } else {
            text + &space
        }
    }
}

/// The rows with their columns below each other, two spaces between them.
pub(super) fn render(rows: &[Vec<StyledText>], paint: Paint) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(StyledText::width)
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or_default())
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| cell.render(width, paint))
            .collect();
        text += INDENT;
        text += cells.join("  ").trim_end();
        text += "\n";
    }
    text
}

#[cfg(test)]
mod tests;
