//! Every test that docs/reliability.md names exists.

use std::fs;

/// Where a file is that is named without its folder.
const FOLDERS: [&str; 2] = ["", "tests/e2e/"];

#[test]
fn reliability_page_names_tests_that_exist() {
    let page = fs::read_to_string(crate::file("docs/reliability.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let rows: Vec<_> = rows
        .filter(|row| !row.starts_with("| situation") && !row.starts_with("| ---"))
        .collect();
    assert!(!rows.is_empty());
    let mut wrong = Vec::new();
    for row in rows {
        let last = row
            .trim_end_matches(['|', ' '])
            .rsplit(" | ")
            .next()
            .unwrap();
        let tests: Vec<_> = last.split('`').skip(1).step_by(2).collect();
        if tests.is_empty() {
            wrong.push(format!("no test: {row}"));
        }
        wrong.extend(
            tests
                .into_iter()
                .filter(|it| !exists(it))
                .map(str::to_owned),
        );
    }
    assert!(
        wrong.is_empty(),
        "these are not there:\n{}",
        wrong.join("\n")
    );
}

/// Whether `FILE::TEST` is a function of that file with an attribute that makes it a test.
fn exists(test: &str) -> bool {
    let Some((path, name)) = test.rsplit_once("::") else {
        return false;
    };
    let mut sources = FOLDERS
        .iter()
        .filter_map(|folder| fs::read_to_string(crate::file(&format!("{folder}{path}"))).ok());
    let is_test = |before: &str| {
        let mut lines = before.trim_end().lines().rev();
        lines.any(|line| line.trim().ends_with("test]"))
    };
    sources.any(|source| {
        let found = source.find(&format!("fn {name}("));
        // The attribute is one of the three lines before it.
        found.is_some_and(|at| {
            let before = source[..at].rsplit('\n').skip(1).take(3);
            is_test(&before.collect::<Vec<_>>().join("\n"))
        })
    })
}
