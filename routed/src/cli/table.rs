//! Tables for a terminal.

/// How wide a column may be that holds names of any length, in characters.
pub(super) const WIDEST: usize = 34;

/// Which way a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// The rows below their headers, each column as wide as it has to be.
pub(super) fn render(columns: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        let header = columns[at].0.chars().count();
        cells
            .map(|cell| cell.chars().count())
            .max()
            .map_or(header, |widest| widest.max(header))
    };
    let widths: Vec<_> = (0..columns.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells.zip(columns.iter().zip(&widths));
        let padded: Vec<_> = cells
            .map(|(cell, ((_, align), width))| match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            })
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&mut columns.iter().map(|(header, _)| *header))];
    lines.extend(
        rows.iter()
            .map(|row| line(&mut row.iter().map(String::as_str))),
    );
    lines.join("\n")
}

/// `text`, or the start of it where it is too wide.
pub(super) fn shorten(text: &str) -> String {
    if text.chars().count() <= WIDEST {
        return text.to_owned();
    }
    let start: String = text.chars().take(WIDEST - 3).collect();
    format!("{start}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_have_to_be_and_numbers_end_below_each_other() {
        let columns = [
            ("SUBNET", Align::Left),
            ("USED", Align::Right),
            ("NODE", Align::Left),
        ];
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [
            row(["10.244.7.0/24", "3", "n1"]),
            row(["fd00::/80", "12345", ""]),
        ];
        assert_eq!(
            render(&columns, &rows),
            "SUBNET          USED  NODE\n\
             10.244.7.0/24      3  n1\n\
             fd00::/80      12345"
        );
        assert_eq!(render(&columns, &[]), "SUBNET  USED  NODE");
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(shorten("default/web"), "default/web");
        assert_eq!(shorten(&"a".repeat(35)), format!("{}...", "a".repeat(31)));
    }
}
