//! The files of the repository that pages name exist.

use std::fs;
use std::path::Path;

use crate::commands::code;
use crate::file;
use crate::links::pages;

/// Folders of the repository, as the beginnings of paths.
const FOLDERS: [&str; 12] = [
    "bench/",
    "conf/",
    "daemonkit/",
    "docs/",
    "ipam/",
    "plugin/",
    "policy/",
    "registry/",
    "routed/",
    "tests/",
    "wire/",
    "kubernetes/",
];

/// Pages that say where what is.
const MAPS: [&str; 3] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/internals.md"];

#[test]
fn files_in_pages_exist() {
    let mut missing = Vec::new();
    let mut named = 0;
    for page in pages() {
        // A changelog may name what is gone.
        if page.ends_with("CHANGELOG.md") {
            continue;
        }
        let text = fs::read_to_string(&page).unwrap();
        for path in code(&text).iter().flat_map(|line| files(line)) {
            named += 1;
            if !file(path).exists() {
                missing.push(format!("{}: {path}", page.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(named > 80, "only {named} files were found");
}

/// Otherwise [`files_in_pages_exist`] would not see them.
#[test]
fn source_files_in_maps_have_paths_from_the_root() {
    for page in MAPS {
        let text = fs::read_to_string(file(page)).unwrap();
        for span in code(&text) {
            let is_source = Path::new(&span).extension().is_some_and(|it| it == "rs");
            let is_path = is_source && span.contains('/');
            assert!(!is_path || begins_with_folder(&span), "{page}: {span}");
        }
    }
}

#[test]
fn architecture_answers_at_least_25_questions() {
    let page = fs::read_to_string(file("ARCHITECTURE.md")).unwrap();
    let (_, table) = page
        .split_once("| question | file |\n| --- | --- |\n")
        .unwrap();
    let rows: Vec<_> = table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert!(rows.len() >= 25, "{} questions", rows.len());
    for row in rows {
        let (_, answer) = row.trim_end_matches(" |").rsplit_once(" | ").unwrap();
        let answers: Vec<_> = code(answer);
        assert!(
            answers.len() == 1 && begins_with_folder(&answers[0]),
            "{row}"
        );
    }
}

/// The words of the line that are paths of the repository.
fn files(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split([' ', ',', ';', ':']);
    let paths = words.filter(|word| begins_with_folder(word));
    // A name in capitals is to be filled in, as in `routed/src/cli/NAME.rs`.
    paths.filter(|path| !path.contains(|it: char| matches!(it, '*' | '<') || it.is_uppercase()))
}

fn begins_with_folder(word: &str) -> bool {
    FOLDERS.iter().any(|folder| word.starts_with(folder))
}
