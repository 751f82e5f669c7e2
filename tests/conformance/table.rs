//! The report as a table for people, and as JSON for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::report::ConformanceReport;
use super::rows::Level;
use super::verdict::RowVerdict;

/// The least width of a column of verdicts.
const COLUMN: usize = 6;
/// The width of the column of requirements.
const REQUIREMENT: usize = 24;

/// Every row, with the plugins side by side, and the number of rows that each plugin passes.
pub fn table(reports: &[ConformanceReport]) -> String {
    let mut text = String::new();
    let mut section = "";
    let Some(first) = reports.first() else {
        return text;
    };
    line(
        &mut text,
        "",
        "",
        reports.iter().map(|report| report.name.clone()),
        reports,
    );
    for (at, (row, _)) in first.verdicts.iter().enumerate() {
        if row.section != section {
            section = row.section;
            let _ = writeln!(text, "{section}");
        }
        let verdicts = reports
            .iter()
            .map(|report| word(&report.verdicts[at].1).to_owned());
        line(&mut text, &row.level.to_string(), row.id, verdicts, reports);
    }
    text.push('\n');
    for (level, name) in [(Level::Must, "MUST"), (Level::Should, "SHOULD")] {
        let counts = reports.iter().map(|report| {
            let (passed, judged) = report.count(level);
            format!("{passed}/{judged}")
        });
        line(&mut text, name, "passed", counts, reports);
    }
    text
}

/// The failed rows, with the requirement and the evidence; empty if there are none.
pub fn details(reports: &[ConformanceReport]) -> String {
    let mut text = String::new();
    for report in reports {
        for (row, why) in report.failures() {
            let (name, id, level) = (&report.name, row.id, row.level);
            let _ = writeln!(
                text,
                "\n{name} fails {id} ({}, {level}): {}",
                row.section, row.text
            );
            for line in why.lines() {
                let _ = writeln!(text, "  {line}");
            }
        }
    }
    text
}

/// Every row with its text, and each plugin's verdict with the evidence.
pub fn json(reports: &[ConformanceReport]) -> Value {
    reports
        .iter()
        .map(|report| {
            let rows: Vec<Value> = report
                .verdicts
                .iter()
                .map(|(row, verdict)| {
                    let why = match verdict {
                        RowVerdict::Pass => None,
                        RowVerdict::Fail(why) | RowVerdict::NotApplicable(why) => Some(why),
                    };
                    json!({
                        "id": row.id, "section": row.section, "level": row.level.to_string(),
                        "requirement": row.text, "outcome": outcome(verdict), "why": why,
                    })
                })
                .collect();
            json!({ "plugin": report.name, "conforms": report.conforms(), "rows": rows })
        })
        .collect()
}

fn line(
    text: &mut String,
    level: &str,
    requirement: &str,
    cells: impl Iterator<Item = String>,
    reports: &[ConformanceReport],
) {
    let mut line = format!("  {level:6}  {requirement:REQUIREMENT$}");
    for (cell, report) in cells.zip(reports) {
        let width = report.name.len().max(COLUMN);
        let _ = write!(line, "  {cell:width$}");
    }
    let _ = writeln!(text, "{}", line.trim_end());
}

fn word(verdict: &RowVerdict) -> &'static str {
    match verdict {
        RowVerdict::Pass => "pass",
        RowVerdict::Fail(_) => "FAIL",
        RowVerdict::NotApplicable(_) => "-",
    }
}

fn outcome(verdict: &RowVerdict) -> &'static str {
    match verdict {
        RowVerdict::Pass => "pass",
        RowVerdict::Fail(_) => "fail",
        RowVerdict::NotApplicable(_) => "not applicable",
    }
}
