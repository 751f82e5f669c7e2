//! The width and the colours of standard output. A pipe or a file gets everything, without colours.

use std::env;
use std::io::{self, IsTerminal};

use terminal_size::{Width, terminal_size_of};

/// Where standard output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terminal {
    /// Characters per line, if it is a terminal.
    pub(super) width: Option<usize>,
    /// Whether text is coloured.
    pub(super) colours: bool,
}

/// How a text is meant; decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Tone {
    /// Neutral.
    #[default]
    Plain,
    /// All is well.
    Good,
    /// It may matter.
    Doubtful,
    /// It needs attention.
    Bad,
}

impl Terminal {
    /// A pipe or a file.
    pub(super) const PIPE: Self = Self {
        width: None,
        colours: false,
    };

    /// What standard output is. No colours if `NO_COLOR` is not empty (<https://no-color.org>), or
    /// if `TERM` is `dumb`.
    pub(super) fn of_stdout() -> Self {
        let stdout = io::stdout();
        if !stdout.is_terminal() {
            return Self::PIPE;
        }
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            width: terminal_size_of(stdout).map(|(Width(width), _)| usize::from(width)),
            colours: !is_set("NO_COLOR") && !is_dumb,
        }
    }

    /// `text` in the colour of its tone.
    pub(super) fn paint(self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => 32,
            Tone::Doubtful => 33,
            Tone::Bad => 31,
        };
        if self.colours {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests;
