//! The report: tables for people, figures for programs, and plots.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use lab::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::figures::{Spread, float};

/// Collects results, prints tables at once, and writes the files at the end.
#[derive(Debug)]
pub(crate) struct BenchReport {
    folder: PathBuf,
    text: String,
    figures: Map<String, Value>,
}

/// A table with a heading.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl BenchReport {
    /// An empty report that will be written to `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            text: String::new(),
            figures: Map::new(),
        }
    }

    /// Prints and keeps a table.
    pub(crate) fn table(&mut self, table: &Table) -> Result {
        self.text(&table.markdown())
    }

    /// Prints and keeps a text.
    pub(crate) fn text(&mut self, text: &str) -> Result {
        writeln!(io::stdout(), "{text}").map_err(|error| Error::new(error.to_string()))?;
        self.text += text;
        self.text.push('\n');
        Ok(())
    }

    /// Keeps figures for programs.
    pub(crate) fn keep(&mut self, name: &str, figures: &impl Serialize) {
        self.figures.insert(name.to_owned(), json!(figures));
    }

    /// Writes a plot.
    pub(crate) fn plot(&self, name: &str, svg: &str) -> Result {
        self.file(&format!("{name}.svg"), svg)
    }

    /// Writes the collected tables and figures.
    pub(crate) fn write(&self) -> Result {
        self.file("tables.md", &self.text)?;
        let figures = Value::Object(self.figures.clone());
        self.file("figures.json", &format!("{figures}\n"))
    }

    fn file(&self, name: &str, content: &str) -> Result {
        let path = self.folder.join(name);
        fs::write(&path, content).map_err(|why| Error::new(format!("{}: {why}", path.display())))
    }
}

impl Table {
    /// An empty table; the first column is text, all others are figures.
    pub(crate) fn new(title: &str, columns: &[&str]) -> Self {
        Self {
            title: title.to_owned(),
            columns: columns.iter().map(ToString::to_string).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    fn markdown(&self) -> String {
        let mut text = format!("### {}\n\n| {} |\n|", self.title, self.columns.join(" | "));
        for column in 0..self.columns.len() {
            text += if column == 0 { " --- |" } else { " --: |" };
        }
        text.push('\n');
        for row in &self.rows {
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        text
    }
}

/// Milliseconds with two digits.
pub(crate) fn ms(nanoseconds: u64) -> String {
    format!("{:.2}", float(nanoseconds) / 1e6)
}

/// Microseconds with one digit.
pub(crate) fn us(nanoseconds: u64) -> String {
    format!("{:.1}", float(nanoseconds) / 1e3)
}

/// Min, median, p99 and max in milliseconds.
pub(crate) fn cells(spread: Spread) -> [String; 4] {
    [spread.min, spread.median, spread.p99, spread.max].map(ms)
}

/// A ratio with two digits, or a dash.
pub(crate) fn times(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
}
